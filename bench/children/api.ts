// The least possible API, for calls to it by a pool and without.
import { createServer } from "node:http";
import { serveBare } from "../lib/bare-program.ts";

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
serveBare(server);
