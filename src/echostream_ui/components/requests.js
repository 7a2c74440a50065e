// What the user changes is sent to the server, one change after the other. It answers with `data` as it
// is then, and in it a reply: the change's nonce, and an error in words if it could not be kept.

class Requests {
  /** `send` takes a change with its nonce; `onIdle` is called after each reply. */
  constructor(send, onIdle = () => {}) {
    Object.assign(this, { send, onIdle, pending: null, waiting: [], asked: 0 });
  }

  /** `settle` is called with the reply. */
  ask(change, settle) {
    if (this.pending) return void this.waiting.push([change, settle]);
    const nonce = `${Date.now()}-${++this.asked}`;
    this.pending = { nonce, settle };
    this.send({ ...change, nonce });
  }

  onReply(reply) {
    if (!reply || reply.nonce !== this.pending?.nonce) return;
    const { settle } = this.pending;
    this.pending = null;
    settle(reply);
    this.onIdle();
    const next = this.waiting.shift();
    if (next) this.ask(...next);
  }
}
