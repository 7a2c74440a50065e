// Clients of the stock socket.io-client, any number of them, led by lines of JSON on stdin:
//
//   {"client": "a", "connect": URL, "options": {…}}   options of io(), such as auth and transports
//   {"client": "a", "emit": [NAME, …]}                 {"base64": "…"} anywhere in it is binary
//   {"client": "a", "call": [NAME, …], "number": N}    the same, with an acknowledgement
//   {"client": "a", "knock": "/name"}                  asks for a namespace that the server lacks
//   {"client": "a", "disconnect": true}
//
// and what happens to them told as lines on stdout, each with its "client":
//
//   {"on": "connect", "id": …, "engine": …, "transport": …}    engine: the Engine.IO session's id
//   {"on": "upgrade", "transport": …}
//   {"on": "connect_error", "message": …}
//   {"on": "disconnect", "reason": …}
//   {"on": "event", "event": [NAME, …]}                         binary as {"base64": "…"}
//   {"on": "answer", "number": N, "answer": …}
//   {"on": "knocked", "namespace": …}                           the server has refused it
//
// The end of stdin ends it.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const clients = new Map();

const say = (client, what) => console.log(JSON.stringify({ client, ...what }));

function toBinary(value) {
  if (Array.isArray(value)) return value.map(toBinary);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.base64 === "string") return Buffer.from(value.base64, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toBinary(one)]));
}

function fromBinary(value) {
  if (Array.isArray(value)) return value.map(fromBinary);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return { base64: Buffer.from(value).toString("base64") };
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fromBinary(one)]));
}

function connect(name, url, options) {
  const socket = io(url, { forceNew: true, ...options });
  clients.set(name, socket);
  socket.io.on("open", () => {
    socket.io.engine.on("upgrade", ({ name: transport }) => say(name, { on: "upgrade", transport }));
  });
  socket.on("connect", () => {
    const { id: engine, transport } = socket.io.engine;
    say(name, { on: "connect", id: socket.id, engine, transport: transport.name });
  });
  socket.on("connect_error", ({ message }) => say(name, { on: "connect_error", message }));
  socket.on("disconnect", (reason) => say(name, { on: "disconnect", reason }));
  socket.onAny((...event) => say(name, { on: "event", event: fromBinary(event) }));
}

function knock(name, namespace) {
  const other = clients.get(name).io.socket(namespace, {});
  other.once("connect_error", () => {
    say(name, { on: "knocked", namespace });
    other.disconnect();
  });
  other.connect();
}

for await (const line of createInterface({ input: process.stdin })) {
  const { client, ...command } = JSON.parse(line);
  if (command.connect) connect(client, command.connect, command.options ?? {});
  else if (command.emit) clients.get(client).emit(...toBinary(command.emit));
  else if (command.call) {
    const answered = (answer) => say(client, { on: "answer", number: command.number, answer });
    clients.get(client).emit(...toBinary(command.call), answered);
  } else if (command.knock) knock(client, command.knock);
  else if (command.disconnect) clients.get(client).disconnect();
}
process.exit();
