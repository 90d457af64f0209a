// The route of a request: fixed paths and paths with parameters, a method each.

import { Problem } from './problem.ts';

export interface Found<T> {
  readonly route: T;
  /** Parameters of the path, escapes decoded. */
  readonly params: Readonly<Record<string, string>>;
}

interface Entry<T> {
  readonly method: string;
  /** Matches the path and captures the parameters. */
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly route: T;
}

const PARAMETER = /\{([A-Za-z]+)\}/g;

export class HttpRouter<T> {
  private readonly entries: Entry<T>[] = [];

  /** @param path such as `/v1/aors/{aor}`; of several that match the first one added wins */
  add(method: string, path: string, route: T): void {
    const fixed = path.split(PARAMETER).filter((_, i) => i % 2 === 0);
    const pattern = new RegExp(`^${fixed.map((text) => text.replace(/[.*+?^$()[\]\\|]/g, '\\$&')).join('([^/]+)')}$`);
    const names = [...path.matchAll(PARAMETER)].map(([, name]) => name);
    this.entries.push({ method, pattern, names, route });
  }

  /** Throws a Problem: 404 where no path matches, 405 where one does with other methods, 400 where escapes are malformed. */
  find(method: string, path: string): Found<T> {
    // Routes for GET answer HEAD; the engines leave the body out.
    const wanted = method === 'HEAD' ? 'GET' : method;
    const methods: string[] = [];
    for (const { method: served, pattern, names, route } of this.entries) {
      const values = pattern.exec(path);
      if (values === null) continue;
      if (served === wanted) return { route, params: paramsOf(names, values) };
      methods.push(served);
    }
    if (methods.length === 0) throw new Problem(404, 'no_such_route', `there is no ${method} ${path}`);
    const allow = methods.join(', ');
    throw new Problem(405, 'method_not_allowed', `${path} answers ${allow}`, [], allow);
  }
}

function paramsOf(names: readonly string[], values: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (let i = 0; i < names.length; i++) params[names[i]] = decoded(values[i + 1]);
  return params;
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, 'bad_escapes', `"${text}" has malformed escapes`);
  }
}
