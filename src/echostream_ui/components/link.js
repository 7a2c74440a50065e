// The way to the server, as `live/socket.py` describes it: pieces are kept until they are
// on the disk there.

const FIRST_PAUSE_MS = 250;
const MOST_BUFFERED_BYTES = 512 * 1024;
const STUCK_MS = 10_000;
const LONGEST_PAUSE_MS = 5_000;
const NOT_GOOD = 4401;
const NOT_KEPT = 4500;

class Link {
  constructor(hello, { onNews, onBroken, onEnd }) {
    Object.assign(this, { onNews, onBroken, onEnd });
    this.hello = hello;
    this.secret = null;
    this.pieces = [];
    this.bookmarks = new Map();
    this.received = 0;
    this.sent = 0;
    this.heardAt = 0;
    this.hasStopped = false;
    this.pause = FIRST_PAUSE_MS;
    this.connect();
  }

  connect() {
    const page = new URL(location.href);
    page.protocol = page.protocol === "https:" ? "wss:" : "ws:";
    page.pathname = page.pathname.replace(/\/+$/, "") + "/socket";
    page.search = page.hash = "";
    const socket = (this.socket = new WebSocket(page));
    socket.onopen = () => socket.send(JSON.stringify(this.secret ? { secret: this.secret } : this.hello));
    socket.onmessage = ({ data }) => socket === this.socket && this.hear(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.socket && this.closed(code);
  }

  hear(news) {
    const isFirst = "secret" in news;
    this.heardAt = performance.now();
    if (isFirst) {
      this.secret = news.secret;
      this.id = news.id;
      this.pause = FIRST_PAUSE_MS;
      this.sent = news.received;
      this.isOpen = true;
      this.bookmarks.forEach((bookmark) => this.say({ bookmark }));
    }
    this.pieces.splice(0, news.received - this.received);
    this.received = news.received;
    this.onNews(news, isFirst);
    if (news.ended) {
      this.close();
      this.onEnd(news.ended, null, news.revised);
    } else {
      this.pump();
    }
  }

  add(piece) {
    if (this.pieces.length === 0) this.heardAt = performance.now();
    this.pieces.push(piece);
    if (this.isOpen && performance.now() - this.heardAt > STUCK_MS) this.closed(0); // half open
    this.pump();
  }

  /** A bookmark is told again on each new connection: it may not have arrived on the one before. */
  tell(bookmark) {
    this.bookmarks.set(bookmark.id, bookmark);
    if (this.isOpen) this.say({ bookmark });
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  stop() {
    this.hasStopped = true;
    this.pump();
  }

  pump() {
    if (!this.isOpen) return;
    while (this.sent < this.received + this.pieces.length) {
      if (this.socket.bufferedAmount > MOST_BUFFERED_BYTES) return; // news will call again
      this.socket.send(this.pieces[this.sent - this.received]);
      this.sent += 1;
    }
    if (this.hasStopped && !this.hasSaidSo) {
      this.hasSaidSo = true;
      this.say({ stop: true });
    }
  }

  closed(code) {
    this.close();
    if (!this.secret || code === NOT_GOOD || code === NOT_KEPT) {
      this.onEnd(null, code);
      return;
    }
    this.onBroken();
    setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
  }

  close() {
    this.isOpen = this.hasSaidSo = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}
