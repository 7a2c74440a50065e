// One transcription session with the official SDK; each event is a line of JSON on stdout.
//
// node client.mjs URL TOKEN ws|browser FILE: streams PCM16 at 24 kHz and commits what is left.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { WebSocket } from "ws";

const [url, token, transport, file] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const audio = readFileSync(file);
const STEP = 4800;

// The SDK insists on wss:, and the server under test has no certificate.
const plain = { createConnection: () => connect(Number(port), hostname) };

// What a browser has: no headers, only subprotocols.
globalThis.WebSocket = class extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, plain);
  }
};

const client = new OpenAI({ apiKey: token, baseURL: `${url}/v1` });
const session =
  transport === "ws"
    ? new OpenAIRealtimeWS({ intent: "transcription", options: plain }, client)
    : new OpenAIRealtimeWebSocket(
        { intent: "transcription", dangerouslyAllowBrowser: true }, client,
      );

const open = new Set();
let sent = false;

function tell(event) {
  console.log(JSON.stringify(event));
}

function send() {
  for (let start = 0; start < audio.length; start += STEP) {
    const piece = audio.subarray(start, start + STEP).toString("base64");
    session.send({ type: "input_audio_buffer.append", audio: piece });
  }
  session.send({ type: "input_audio_buffer.commit", event_id: "the end" });
}

session.on("session.created", () => {
  const input = {
    format: { type: "audio/pcm", rate: 24000 },
    transcription: { model: "gpt-4o-transcribe", language: "en" },
    turn_detection: { type: "server_vad" },
  };
  session.send({ type: "session.update", session: { type: "transcription", audio: { input } } });
});
session.on("session.updated", send);
session.on("event", (event) => {
  tell(event);
  if (event.type === "input_audio_buffer.committed") open.add(event.item_id);
  if (event.type.endsWith("transcription.completed")) open.delete(event.item_id);
  if (event.type === "input_audio_buffer.cleared") sent = true;
  if (event.type.endsWith(".completed") && !open.size && sent) session.close();
});
session.on("error", (error) => {
  // The last commit may find nothing, where the turn before it has just ended.
  tell({ type: "sdk.error", code: error.error?.code, message: error.message });
  if (!error.error) process.exit(0);
});
// Once all is handled that was sent before.
session.on("session.updated", () => session.send({ type: "input_audio_buffer.clear" }));
session.on("input_audio_buffer.cleared", () => open.size || session.close());
