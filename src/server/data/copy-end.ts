// The end of a copy's log. While files are copied, a shard writes: later frames may be in the copy and earlier ones missing. So a
// further generation tells the next life the last frame at the moment of the copy.

import { GenerationFile } from '../../location/log/generation/generation-file.ts';
import {
  EMPTY_GENERATION_BYTES,
  emptyGeneration,
  type GenerationHead,
  readHead,
} from '../../location/log/generation/generation-head.ts';
import { generationPath } from '../../location/log/log-folder.ts';

export class CopyEnd {
  /** Name below the shard's directory. */
  readonly name: string;
  readonly length = EMPTY_GENERATION_BYTES;
  private readonly head: GenerationHead;
  private readonly newest: GenerationFile;
  /** Last address at the moment of the copy. */
  private readonly lastAddress: number | undefined;

  private constructor(head: GenerationHead, newest: GenerationFile) {
    this.name = generationPath('', head.number + 1);
    this.head = head;
    this.newest = newest;
    this.lastAddress = newest.lastAddress();
  }

  /** @param path of the newest generation; undefined where its head does not name its log */
  static of(path: string): CopyEnd | undefined {
    const head = readHead(path);
    return head && new CopyEnd(head, new GenerationFile(path));
  }

  /** Content of that generation. Called when all other files are copied: if the shard wrote nothing meanwhile, all their frames count. */
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
