// A STUN server (RFC 8489), and the same over HTTP: tells whoever asks from where the question came. Ends with its
// input.
import { createSocket } from "node:dgram";
import { createServer } from "node:http";

const PORT = 3478;
const HTTP_PORT = 3479;
const COOKIE = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const XOR_MAPPED_ADDRESS = 0x0020;
const IPV4 = 1;
const HEADER_BYTES = 20;

const socket = createSocket("udp4");
socket.on("message", (request, { address, port }) => {
  if (request.length < HEADER_BYTES || request.readUInt16BE(0) !== BINDING_REQUEST) return;
  if (request.readUInt32BE(4) !== COOKIE) return;
  const answer = Buffer.alloc(HEADER_BYTES + 12);
  answer.writeUInt16BE(BINDING_SUCCESS, 0);
  answer.writeUInt16BE(12, 2);
  request.copy(answer, 4, 4, HEADER_BYTES);
  answer.writeUInt16BE(XOR_MAPPED_ADDRESS, 20);
  answer.writeUInt16BE(8, 22);
  answer.writeUInt16BE(IPV4, 24);
  answer.writeUInt16BE(port ^ (COOKIE >>> 16), 26);
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  answer.writeUInt32BE((number ^ COOKIE) >>> 0, 28);
  socket.send(answer, port, address);
});
const server = createServer(({ socket: { remoteAddress } }, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ ip: remoteAddress }));
});
socket.bind(PORT, "0.0.0.0", () => server.listen(HTTP_PORT, "0.0.0.0", () => console.log("ready")));
process.stdin.resume().on("end", () => process.exit());
