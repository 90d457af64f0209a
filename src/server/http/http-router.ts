// Which handler a request is for: fixed paths and paths with parameters, a method each. What a handler does with it, and what
// goes back, is http-server.ts's and the routes'.

import { Problem } from './problem.ts';

export interface Found<T> {
  readonly route: T;
  /** Parameters of the path, escapes decoded. */
  readonly params: Readonly<Record<string, string>>;
}

interface Entry<T> {
  readonly method: string;
  /** `{name}` is a parameter. */
  readonly segments: readonly string[];
  readonly route: T;
}

export class HttpRouter<T> {
  private readonly entries: Entry<T>[] = [];

  /** @param path such as `/v1/aors/{aor}`; of several that fit the first one added wins */
  add(method: string, path: string, route: T): void {
    this.entries.push({ method, segments: path.split('/'), route });
  }

  /** Throws a Problem: 404 where no path fits, 405 where one does with other methods, 400 where escapes are malformed. */
  find(method: string, path: string): Found<T> {
    const given = path.split('/');
    const methods: string[] = [];
    for (const { method: served, segments, route } of this.entries) {
      if (!fits(segments, given)) continue;
      // What answers GET answers HEAD; Node leaves the body out.
      if (served === (method === 'HEAD' ? 'GET' : method)) return { route, params: paramsOf(segments, given) };
      methods.push(served);
    }
    if (methods.length === 0) throw new Problem(404, 'no_such_route', `there is no ${method} ${path}`);
    const allow = methods.join(', ');
    throw new Problem(405, 'method_not_allowed', `${path} takes ${allow}`, [], allow);
  }
}

function fits(segments: readonly string[], given: readonly string[]): boolean {
  return (
    segments.length === given.length && segments.every((s, i) => s === given[i] || (isParameter(s) && given[i] !== ''))
  );
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}

function paramsOf(segments: readonly string[], given: readonly string[]): Record<string, string> {
  const params: Record<string, string> = Object.create(null);
  for (const [i, segment] of segments.entries())
    if (isParameter(segment)) params[segment.slice(1, -1)] = decoded(given[i]);
  return params;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, 'bad_escapes', `"${text}" has malformed escapes`);
  }
}
