import { describe, expect, it } from 'vitest';
import { keepLargeBlocksApart } from '../../../src/transport/linux/large-blocks.ts';

interface Report {
  readonly header: { readonly glibcVersionRuntime?: string };
}

describe('the bound from which blocks are large', () => {
  it('is fixed where the C library is glibc, and left alone elsewhere', () => {
    const { header } = process.report.getReport() as unknown as Report;
    expect(keepLargeBlocksApart()).toBe(header.glibcVersionRuntime !== undefined);
  });
});
