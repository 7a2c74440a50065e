// Makes the player go to a line, once for each nonce.

const done = new WeakMap();

export default function ({ parentElement, data }) {
  if (done.get(parentElement) === data.nonce) return;
  done.set(parentElement, data.nonce);
  window.dispatchEvent(new CustomEvent("echostream-goto", { detail: { line: data.line } }));
}
