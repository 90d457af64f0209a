// A SIP client over WebSocket for tests: one message per frame, a name that nobody can resolve in Via and Contact, as
// browsers have (RFC 7118 §5). It answers to the same calls as the clients of the other transports.

import {
  type Answer,
  newBranch,
  newToken,
  type RegisterFields,
  readAnswer,
  registerText,
  transactionOf,
} from './sip-client.ts';
import { TEXT, type WsAddress, WsClient, type WsHandshake } from './ws-client.ts';

export class WsSipClient {
  readonly ws: WsClient;
  /** Its name in Vias and Contacts. */
  readonly host = `${newToken().slice(0, 12)}.invalid`;
  private readonly secure: boolean;
  private readonly address: WsAddress;

  private constructor(ws: WsClient, address: WsAddress) {
    this.ws = ws;
    this.address = address;
    this.secure = address.tls === true;
  }

  static async open(address: WsAddress, handshake: WsHandshake = {}): Promise<WsSipClient> {
    return new WsSipClient(await WsClient.open(address, handshake), address);
  }

  get contact(): string {
    return `sip:browser@${this.host};transport=ws`;
  }

  via(branch: string = newBranch()): string {
    return `SIP/2.0/${this.secure ? 'WSS' : 'WS'} ${this.host};branch=${branch}`;
  }

  register(fields: RegisterFields = {}): string {
    return registerText(fields, this.via(fields.branch));
  }

  /** Sends a request and gives its answer; others that come before it are an error. */
  async request(message: string): Promise<Answer> {
    this.ws.text(message);
    const answer = await this.answer();
    if (transactionOf(answer.text) !== transactionOf(message)) throw new Error(`another answer:\n${answer.text}`);
    return answer;
  }

  /** The next message, which must be a text frame. */
  async answer(): Promise<Answer> {
    const { opcode, payload } = await this.ws.next();
    if (opcode !== TEXT) throw new Error(`a frame of kind ${opcode}: ${payload.toString('latin1')}`);
    return readAnswer(payload.toString('latin1'), this.address.host ?? '127.0.0.1', this.address.port);
  }

  close(): void {
    this.ws.destroy();
  }
}
