// The part of the JavaScript API of WebAssembly that the parser needs, with types: Node's types lack it.

export interface FixedMemory {
  readonly buffer: ArrayBuffer;
}

interface WebAssemblyApi {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => FixedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: Readonly<Record<string, unknown>> },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

declare const WebAssembly: WebAssemblyApi;

/** A memory of this many pages of 64 KB that can never grow. */
export function fixedMemory(pages: number): FixedMemory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** The exports of a module, given in base64, over a memory. Compiled synchronously: it is small, and the parser needs it at once. */
export function instantiate(
  base64: string,
  memory: FixedMemory,
  imports: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { ...imports, memory } }).exports;
}
