// Where the log of a copy ends. Of what a shard writes while its files are copied, later frames may be in the copy and earlier ones not:
// a generation behind the others tells the next life which frame was the last at the moment of the copy.

import { GenerationFile } from '../../location/log/generation-file.ts';
import {
  EMPTY_GENERATION_BYTES,
  emptyGeneration,
  type GenerationHead,
  generationPath,
  readHead,
} from '../../location/log/log-folder.ts';

export class CopyEnd {
  /** Below the shard's directory. */
  readonly name: string;
  readonly length = EMPTY_GENERATION_BYTES;
  private readonly head: GenerationHead;
  private readonly newest: GenerationFile;
  /** At the moment of the copy. */
  private readonly lastAddress: number | undefined;

  private constructor(head: GenerationHead, newest: GenerationFile) {
    this.name = generationPath('', head.number + 1);
    this.head = head;
    this.newest = newest;
    this.lastAddress = newest.lastAddress();
  }

  /** @param path of the newest generation; undefined where it does not say which log it is of */
  static of(path: string): CopyEnd | undefined {
    const head = readHead(path);
    return head && new CopyEnd(head, new GenerationFile(path));
  }

  /** To be asked for when all other files are copied: where nothing was written meanwhile, all that they hold counts. */
  bytes(): Buffer {
    const { head, lastAddress, newest } = this;
    const isWritten = lastAddress !== undefined && newest.lastAddress() !== lastAddress;
    const before = isWritten && lastAddress >= 0 ? lastAddress : head.before;
    return emptyGeneration(head.name, head.number + 1, isWritten ? before : undefined);
  }

  close(): void {
    this.newest.close();
  }
}
