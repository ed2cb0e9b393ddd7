// The least possible API, for calls to it by a pool and without.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const ANSWER = JSON.stringify({ choices: [{ message: { content: "hello to you" } }] });
let calls = 0;

const server = createServer((request, response) => {
  const isCount = request.url === "/calls";
  if (!isCount) calls++;
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(isCount ? JSON.stringify({ calls }) : ANSWER);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
