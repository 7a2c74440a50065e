// The recorder as it is seen: records the microphone, sends the sound to the frontend's own server,
// shows the text that comes back. `recorder.py` puts this file behind those it needs.

const TICKET_MS = 20_000;
const QUIET_MS = 6_000;
const SLOW_MS = 10_000;

const START_AGAIN = "Then press Start recording again.";
const REFUSED = {
  NotAllowedError: `The browser does not let this page use the microphone. Allow it, in the settings beside the page's address. ${START_AGAIN}`,
  NotFoundError: `There is no microphone. Connect one. ${START_AGAIN}`,
  NotReadableError: `The microphone cannot be used, perhaps because another program has it. Close that program. ${START_AGAIN}`,
};
const INSECURE =
  "The browser gives the microphone only to a page that comes over https, or from this computer. Open this page by its https address.";
const TOO_OLD = "This browser cannot record sound. Use a current Firefox, Chrome, Edge or Safari.";
const RECONNECTING =
  "The connection to this site broke. The recording goes on, and is sent when the connection is back.";
const LOST =
  "The recording has ended, because the connection to this site was broken for too long. What had arrived by then is in the library.";
const ENDED = {
  saved: "",
  later: "The recording is safe. Its text is made now, as that of a file.",
  nothing: "There was no sound in this recording, so nothing was kept.",
};

// A component's function is called again whenever its data changes; the recorder stays the same.
const recorders = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let recorder = recorders.get(parentElement);
  if (!recorder) {
    recorder = new Recorder(parentElement);
    recorders.set(parentElement, recorder);
  }
  recorder.tell = setTriggerValue;
  recorder.takeTicket(data?.ticket);
  return () => recorder.leave();
}

class Recorder {
  constructor(root) {
    const find = (name) => root.querySelector(`.${name}`);
    for (const name of ["recorder", "toggle", "label", "time", "meter", "level", "lag", "notice"]) {
      this[name] = find(name);
    }
    for (const name of ["problem", "page", "hint", "confirmed", "tentative", "newest"]) {
      this[name] = find(name);
    }
    this.state = "idle";
    this.waiting = [];
    this.toggle.onclick = () => this.press();
    this.newest.onclick = () => this.goToNewest();
    this.page.onscroll = () => this.followOrNot();
    this.follows = true;
    this.warn = (event) => event.preventDefault();
  }

  press() {
    if (this.state === "idle") this.start();
    else if (this.state === "recording") this.stop();
  }

  async start() {
    this.clear();
    if (!window.isSecureContext) return this.fail(INSECURE);
    if (!Microphone.isPossible()) return this.fail(TOO_OLD);
    this.enter("asking", "Waiting for the microphone");
    try {
      this.microphone = await Microphone.open((piece) => this.takePiece(piece), () => this.silent());
    } catch (error) {
      return this.fail(REFUSED[error.name] ?? `The microphone cannot be used: ${error.message}.`);
    }
    if (this.hasLeft) return this.microphone.stop();
    this.startedAt = this.loudAt = performance.now();
    addEventListener("beforeunload", this.warn);
    this.enter("recording", "Stop");
    this.animate();
    this.wantsTicket = true;
    this.tell("start", this.startedAt);
    this.patience = setTimeout(() => this.wantsTicket && this.end(null), TICKET_MS);
  }

  // The page makes one for us; an old one may still stand in its data.
  takeTicket(ticket) {
    const isNew = ticket && ticket !== this.ticket;
    this.ticket = ticket;
    if (!isNew || !this.wantsTicket) return;
    this.wantsTicket = false;
    clearTimeout(this.patience);
    this.link = new Link(
      { ticket, ext: this.microphone.ext },
      {
        onNews: (news, isFirst) => this.show(news, isFirst),
        onBroken: () => this.note(RECONNECTING),
        onEnd: (how, code) => this.end(how, code),
      },
    );
    this.waiting.splice(0).forEach((piece) => this.link.add(piece));
    if (this.state === "finishing") this.link.stop();
  }

  takePiece(piece) {
    if (this.link) this.link.add(piece);
    else this.waiting.push(piece);
  }

  stop() {
    this.microphone.stop(); // gives its last piece, then calls `silent`
  }

  silent() {
    removeEventListener("beforeunload", this.warn);
    if (this.state !== "recording") return;
    this.enter("finishing", "Finishing the text");
    this.link?.stop();
  }

  end(how, code) {
    this.link = null;
    this.wantsTicket = false;
    const id = this.id;
    this.enter("idle", "Start recording");
    this.microphone.stop();
    this.tentative.textContent = this.lag.textContent = "";
    if (how) this.note(ENDED[how]);
    else this.fail(whyEnded(id, code));
    if (!this.hasLeft) this.tell("ended", { id: how === "nothing" ? null : (id ?? null) });
  }

  // The page shows something else now; what was recorded is still sent and saved.
  leave() {
    this.hasLeft = true;
    this.microphone?.stop();
  }

  clear() {
    this.id = null;
    this.link = null;
    this.waiting = [];
    this.confirmed.textContent = this.tentative.textContent = this.lag.textContent = "";
    this.shown = 0;
    this.problem.hidden = this.newest.hidden = true;
    this.follows = true;
    this.note("");
  }

  enter(state, label) {
    this.state = state;
    this.label.textContent = label;
    this.recorder.classList.toggle("recording", state === "recording");
    this.toggle.setAttribute("aria-disabled", String(state === "asking" || state === "finishing"));
  }

  fail(message) {
    this.enter("idle", "Start recording");
    this.problem.textContent = message;
    this.problem.hidden = false;
  }

  note(message) {
    if (this.notice.textContent === message) return; // or a screen reader says it again
    this.notice.textContent = message;
    this.notice.hidden = !message;
  }

  show(news, isFirst) {
    this.id = news.id ?? this.id;
    const text = isFirst ? news.text.slice(this.shown) : news.text;
    this.shown += text.length;
    if (text) this.confirmed.append(text);
    this.tentative.textContent = news.tentative;
    this.hint.hidden = this.shown > 0 || Boolean(news.tentative);
    this.lag.textContent = news.lagMs === null ? "" : `${inWords(news.lagMs)} behind`;
    this.remote = news.notice ?? (news.lagMs > SLOW_MS ? slow(news.lagMs) : "");
    this.note(this.remote);
    if (this.follows) this.goToNewest();
  }

  goToNewest() {
    this.page.scrollTop = this.page.scrollHeight;
  }

  // Whoever scrolls up to read is left in peace.
  followOrNot() {
    const below = this.page.scrollHeight - this.page.clientHeight - this.page.scrollTop;
    this.follows = below < 40;
    this.newest.hidden = this.follows;
  }

  animate() {
    if (this.state !== "recording") {
      this.level.style.transform = "scaleX(0)";
      this.meter.setAttribute("aria-valuenow", "0");
      return;
    }
    const now = performance.now();
    const level = this.microphone.level();
    this.level.style.transform = `scaleX(${level.toFixed(3)})`;
    const time = clock(now - this.startedAt);
    if (this.time.textContent !== time) {
      this.time.textContent = time;
      this.meter.setAttribute("aria-valuenow", String(Math.round(100 * level)));
    }
    if (level > 0.15) this.loudAt = now;
    const isQuiet = now - this.loudAt > QUIET_MS;
    if (isQuiet && !this.remote) this.note("No sound comes from the microphone. Is it switched off?");
    else if (!isQuiet && this.wasQuiet) this.note(this.remote ?? "");
    this.wasQuiet = isQuiet;
    requestAnimationFrame(() => this.animate());
  }
}

function whyEnded(id, code) {
  if (id) return LOST;
  if (code === NOT_KEPT) return "The recording cannot be kept: this site cannot write to its library. Look at its log.";
  return "This site cannot be reached for a recording. Reload the page, and press Start recording again.";
}

function slow(lagMs) {
  return `The text is ${inWords(lagMs)} behind. Nothing is lost: it goes on after you have stopped.`;
}

function inWords(ms) {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

function clock(ms) {
  const total = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60];
  const seconds = String(total % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}
