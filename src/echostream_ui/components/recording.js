// The recording of this window: records the microphone, sends the sound to the frontend's own server,
// and holds the text that comes back. It belongs to no page, so it goes on while other pages are
// shown. The recorder on the Live page and the bar on every page show it; each is a module with a
// copy of this file, so the recording itself lies on the window.

const TICKET_MS = 20_000;
const QUIET_MS = 6_000;
const SLOW_MS = 10_000;
const LOUD = 0.15;

const START_AGAIN = "Then press Start recording again.";
const REFUSED = {
  NotAllowedError: `The browser does not let this page use the microphone. Allow it, in the settings beside the page's address. ${START_AGAIN}`,
  NotFoundError: `There is no microphone. Connect one. ${START_AGAIN}`,
  NotReadableError: `The microphone cannot be used, perhaps because another program has it. Close that program. ${START_AGAIN}`,
};
const INSECURE =
  "The browser gives the microphone only to a page that comes over https, or from this computer. Open this page by its https address.";
const TOO_OLD = "This browser cannot record sound. Use a current Firefox, Chrome, Edge or Safari.";
const NO_SOUND = "No sound comes from the microphone. Is it switched off?";
const RECONNECTING =
  "The connection to this site broke. The recording goes on, and is sent when the connection is back.";
const LOST =
  "The recording has ended, because the connection to this site was broken for too long. What had arrived by then is in the library.";
const ENDED = {
  saved: "",
  later: "The recording is safe. Its text is made now, as that of a file.",
  nothing: "There was no sound in this recording, so nothing was kept.",
};

/** States: idle, asking (for the microphone), recording, finishing (the text). Each change is told
 * by the event `change`. */
class Recording extends EventTarget {
  /** The one of this window. */
  static ofWindow() {
    return (window.echostreamRecording ??= new Recording());
  }

  constructor() {
    super();
    this.warn = (event) => event.preventDefault();
    this.clear();
    this.enter("idle");
  }

  /** `tell(event, value)` reaches the server's page: `start` asks it for a ticket, `ended` gives the
   * recording's id. */
  set server(tell) {
    this.tell = tell;
  }

  get isOn() {
    return this.state !== "idle";
  }

  clear() {
    this.id = this.link = null;
    this.waiting = [];
    this.text = this.tentative = this.notice = this.problem = "";
    this.lagMs = null;
    this.told = "";
    this.isQuiet = this.isLeft = false;
    this.number = (this.number ?? 0) + 1;
  }

  enter(state) {
    this.state = state;
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  toggle() {
    if (this.state === "idle") this.start();
    else if (this.state === "recording") this.stop();
  }

  async start() {
    this.clear();
    if (!window.isSecureContext) return this.fail(INSECURE);
    if (!Microphone.isPossible()) return this.fail(TOO_OLD);
    this.enter("asking");
    try {
      this.microphone = await Microphone.open((piece) => this.takePiece(piece), () => this.silent());
    } catch (error) {
      return this.fail(REFUSED[error.name] ?? `The microphone cannot be used: ${error.message}.`);
    }
    this.startedAt = this.loudAt = performance.now();
    addEventListener("beforeunload", this.warn);
    this.enter("recording");
    this.wantsTicket = true;
    this.tell("start", this.startedAt);
    this.patience = setTimeout(() => this.wantsTicket && this.end(null), TICKET_MS);
  }

  /** The page makes a ticket for us; an old one may still stand in its data. */
  takeTicket(ticket) {
    const isNew = ticket && ticket !== this.ticket;
    this.ticket = ticket;
    if (!isNew || !this.wantsTicket) return;
    this.wantsTicket = false;
    clearTimeout(this.patience);
    this.link = new Link(
      { ticket, ext: this.microphone.ext },
      {
        onNews: (news, isFirst) => this.hear(news, isFirst),
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
    this.microphone?.stop(); // gives its last piece, then calls `silent`
  }

  /** The user has signed out: it ends, and whoever signs in next sees nothing of it. */
  leave() {
    if (this.state === "idle") this.clear();
    if (this.state !== "recording" && this.state !== "finishing") return;
    this.isLeft = true;
    this.text = this.tentative = "";
    this.stop();
  }

  silent() {
    removeEventListener("beforeunload", this.warn);
    if (this.state !== "recording") return;
    this.lastedMs = performance.now() - this.startedAt;
    this.enter("finishing");
    this.link?.stop();
  }

  end(how, code) {
    const id = how === "nothing" ? null : this.id;
    this.link = null;
    this.wantsTicket = false;
    this.microphone.stop();
    this.tentative = "";
    this.lagMs = null;
    this.notice = how ? ENDED[how] : "";
    if (!how) this.problem = whyEnded(id, code);
    if (this.isLeft) this.id = null;
    this.enter("idle");
    this.tell("ended", { id: this.isLeft ? null : id });
  }

  fail(message) {
    this.problem = message;
    this.enter("idle");
  }

  note(message) {
    this.notice = message;
    this.changed();
  }

  hear(news, isFirst) {
    this.id = news.id ?? this.id;
    if (this.isLeft) return;
    this.text = isFirst ? news.text : this.text + news.text;
    this.tentative = news.tentative;
    this.lagMs = news.lagMs;
    this.told = news.notice ?? (news.lagMs > SLOW_MS ? slow(news.lagMs) : "");
    this.note(this.told);
  }

  /** Its time so far. */
  get ms() {
    if (this.state === "recording") return performance.now() - this.startedAt;
    return this.state === "finishing" ? this.lastedMs : 0;
  }

  /** How loud it is, 0 to 1. Notices a silence that is too long, so call it again and again. */
  listen() {
    if (this.state !== "recording") return 0;
    const level = this.microphone.level();
    const now = performance.now();
    if (level > LOUD) this.loudAt = now;
    const isQuiet = now - this.loudAt > QUIET_MS;
    if (isQuiet !== this.isQuiet) {
      this.isQuiet = isQuiet;
      if (isQuiet && !this.told) this.note(NO_SOUND);
      else if (!isQuiet) this.note(this.told);
    }
    return level;
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

/** Set a text only if it is another one: a screen reader says again what is set again. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
