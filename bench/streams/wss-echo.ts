// A bare server of uWebSockets.js over TLS that sends back what comes: port, certificate and key are its arguments.

import { uWebSockets } from '../../src/transport/websocket/uwebsockets.ts';

const [port, certFile, keyFile] = process.argv.slice(2);
const library = uWebSockets();
if (typeof library === 'string') {
  console.log(library);
  process.exit(1);
}
const app = library.SSLApp({ cert_file_name: certFile, key_file_name: keyFile, ssl_prefer_low_memory_usage: true });
app.ws('/*', { message: (socket, message, isBinary) => void socket.send(message, isBinary) });
app.listen('127.0.0.1', Number(port), 0, () => console.log('ready'));
