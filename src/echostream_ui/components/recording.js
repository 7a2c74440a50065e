// The recording of this window: records sound, sends it to the frontend's own server, and holds the
// text that comes back, and the user's bookmarks. It belongs to no page, so it goes on while other pages are
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
  NotShared: "Nothing was shared. Press Start recording again, and choose a tab or a screen.",
  NoSharedSound:
    "What you shared has no sound. In Chrome or Edge choose a tab, or on Windows a screen, and switch on that its sound is shared. Firefox and Safari share pictures only.",
  CannotShare: "This browser cannot share sound. Use Chrome or Edge, or record the microphone.",
};
const LOST_PART = {
  shared: "The tab or screen is no longer shared. The microphone is still recorded.",
  microphone: "The microphone is gone. What is shared is still recorded.",
};
const INSECURE =
  "The browser gives the microphone only to a page that comes over https, or from this computer. Open this page by its https address.";
const TOO_OLD = "This browser cannot record sound. Use a current Firefox, Chrome, Edge or Safari.";
const NO_SOUND = {
  microphone: "No sound comes from the microphone. Is it switched off?",
  shared: "No sound comes from what you share. Is it playing, and is its sound shared?",
  both: "There is no sound, neither from the microphone nor from what you share.",
};
const REVISED =
  "The whole recording was read once more, and some words are others now. The recording in the library has the better text; here stands what was heard live.";
const RECONNECTING =
  "The connection to this site broke. The recording goes on, and is sent when the connection is back.";
const LOST =
  "The recording has ended, because the connection to this site was broken for too long. What had arrived by then is in the library.";
const ENDED = {
  saved: "",
  later: "The recording is safe. Its text is made now, as that of a file.",
  nothing: "There was no sound in this recording, so nothing was kept.",
};

/** States: idle, asking (for the sound), recording (which may be paused), finishing (the text). Each
 * change is told by the event `change`. */
class Recording extends EventTarget {
  /** The one of this window. */
  static ofWindow() {
    return (window.echostreamRecording ??= new Recording());
  }

  constructor() {
    super();
    this.warn = (event) => event.preventDefault();
    this.from = "microphone";
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
    this.forget();
    this.notice = this.problem = "";
    this.lagMs = this.finalPass = null;
    this.told = this.lost = "";
    this.isQuiet = this.isLeft = this.isPaused = this.isSettled = false;
    this.recordedMs = 0;
    this.number = (this.number ?? 0) + 1;
  }

  /** All that was said and written. */
  forget() {
    this.said = [];
    this.labels = [];
    this.tentative = "";
    this.insights = null;
    this.bookmarks = [];
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
    if (!Sound.isPossible()) return this.fail(TOO_OLD);
    this.enter("asking");
    try {
      this.sound = await Sound.open(this.from, {
        onPiece: (piece) => this.takePiece(piece),
        onEnd: () => this.silent(),
        onLost: (part) => this.note((this.lost = LOST_PART[part])),
      });
    } catch (error) {
      return this.fail(REFUSED[error.name] ?? `The sound cannot be recorded: ${error.message}.`);
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
      { ticket, ext: this.sound.ext },
      {
        onNews: (news, isFirst) => this.hear(news, isFirst),
        onBroken: () => this.note(RECONNECTING),
        onEnd: (how, code, isRevised) => this.end(how, code, isRevised),
      },
    );
    this.waiting.splice(0).forEach((piece) => this.link.add(piece));
    this.bookmarks.forEach((bookmark) => this.link.tell(bookmark));
    if (this.state === "finishing") this.link.stop();
  }

  takePiece(piece) {
    if (this.link) this.link.add(piece);
    else this.waiting.push(piece);
  }

  stop() {
    this.sound?.stop(); // gives its last piece, then calls `silent`
  }

  /** What is said while it is paused is not recorded, and takes no time. */
  pause() {
    if (this.state !== "recording") return;
    if (this.isPaused) {
      this.sound.resume();
      this.startedAt = this.loudAt = performance.now();
    } else {
      this.sound.pause();
      this.recordedMs = this.ms;
    }
    this.isPaused = !this.isPaused;
    this.isQuiet = false;
    this.note(this.told);
  }

  /** Mark this moment; returns the bookmark. */
  mark() {
    const bookmark = { id: crypto.randomUUID(), at: Math.round(this.ms) / 1000, note: "" };
    this.bookmarks.push(bookmark);
    this.link?.tell(bookmark);
    this.changed();
    return bookmark;
  }

  annotate(bookmark, note) {
    bookmark.note = note;
    this.link?.tell(bookmark);
  }

  unmark(bookmark) {
    this.bookmarks = this.bookmarks.filter((one) => one !== bookmark);
    this.link?.tell({ id: bookmark.id, gone: true });
    this.changed();
  }

  /** The user has signed out: it ends, and whoever signs in next sees nothing of it. */
  leave() {
    if (this.state === "idle") this.clear();
    if (this.state !== "recording" && this.state !== "finishing") return;
    this.isLeft = true;
    this.forget();
    this.stop();
  }

  silent() {
    removeEventListener("beforeunload", this.warn);
    if (this.state !== "recording") return;
    this.recordedMs = this.ms;
    this.isPaused = false;
    this.enter("finishing");
    this.link?.stop();
  }

  end(how, code, isRevised) {
    const id = how === "nothing" ? null : this.id;
    this.recordedMs = this.ms;
    this.isPaused = false;
    this.link = null;
    this.wantsTicket = false;
    this.sound.stop();
    this.tentative = "";
    this.lagMs = this.finalPass = null;
    this.isSettled = how === "saved";
    this.notice = how ? ENDED[how] : "";
    if (isRevised) this.notice = REVISED;
    if (!how) this.problem = whyEnded(id, code);
    if (this.isLeft) this.id = null;
    this.enter("idle");
    // Nobody waits for a recording that was left by signing out, and a run of the page for it would
    // undo what the next user does just then.
    if (!this.isLeft) this.tell("ended", { id });
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
    if (isFirst) this.said = this.labels = null;
    this.said = append(this.said, news.said);
    this.labels = append(this.labels, news.labels);
    this.insights = news.insights ?? this.insights;
    this.finalPass = news.finalPass;
    this.tentative = news.tentative;
    this.lagMs = news.lagMs;
    this.told = news.notice ?? (news.lagMs > SLOW_MS ? slow(news.lagMs) : this.lost);
    this.note(this.told);
  }

  /** Its length so far: that of the sound, in which pauses take no time. */
  get ms() {
    const isRunning = this.state === "recording" && !this.isPaused;
    return this.recordedMs + (isRunning ? performance.now() - this.startedAt : 0);
  }

  /** How loud it is, 0 to 1. Notices a silence that is too long, so call it again and again. */
  listen() {
    if (this.state !== "recording" || this.isPaused) return 0;
    const level = this.sound.level();
    const now = performance.now();
    if (level > LOUD) this.loudAt = now;
    const isQuiet = now - this.loudAt > QUIET_MS;
    if (isQuiet !== this.isQuiet) {
      this.isQuiet = isQuiet;
      if (isQuiet && !this.told) this.note(NO_SOUND[this.from]);
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

function append(all, more) {
  all?.push(...more);
  return all ?? more;
}

function slow(lagMs) {
  return `The text is ${inWords(lagMs)} behind. Nothing is lost: it goes on after you have stopped.`;
}
