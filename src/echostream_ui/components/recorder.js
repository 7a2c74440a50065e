// The window's recording as the Live page shows it: a button, time and level, and the text.

const LABELS = {
  idle: "Start recording",
  asking: "Waiting for the microphone",
  recording: "Stop",
  finishing: "Finishing the text",
};

// A component's function is called again whenever its data changes; the recorder stays the same.
const recorders = new WeakMap();

export default function ({ parentElement }) {
  if (!recorders.has(parentElement)) recorders.set(parentElement, new Recorder(parentElement));
  return () => {
    recorders.get(parentElement)?.close();
    recorders.delete(parentElement);
  };
}

class Recorder {
  constructor(root) {
    for (const name of ["recorder", "toggle", "label", "time", "meter", "level", "lag", "notice"]) {
      this[name] = root.querySelector(`.${name}`);
    }
    for (const name of ["problem", "page", "hint", "confirmed", "tentative", "newest"]) {
      this[name] = root.querySelector(`.${name}`);
    }
    this.recording = Recording.ofWindow();
    this.follows = true;
    this.toggle.onclick = () => this.recording.toggle();
    this.newest.onclick = () => this.goToNewest();
    this.page.onscroll = () => this.followOrNot();
    this.onChange = () => this.show();
    this.recording.addEventListener("change", this.onChange);
    this.show();
  }

  close() {
    this.isClosed = true;
    this.recording.removeEventListener("change", this.onChange);
  }

  show() {
    const { state, problem, notice, tentative, lagMs } = this.recording;
    say(this.label, LABELS[state]);
    this.recorder.classList.toggle("recording", state === "recording");
    this.toggle.setAttribute("aria-disabled", String(state === "asking" || state === "finishing"));
    say(this.problem, problem);
    this.problem.hidden = !problem;
    say(this.notice, notice);
    this.notice.hidden = !notice;
    this.showText();
    this.tentative.textContent = tentative;
    this.hint.hidden = this.shown > 0 || Boolean(tentative);
    say(this.lag, lagMs === null ? "" : `${inWords(lagMs)} behind`);
    if (this.follows) this.goToNewest();
    if (!this.isAnimated) this.animate();
  }

  /** Append what is new: a screen reader reads out only that. */
  showText() {
    const { number, text } = this.recording;
    if (number !== this.number || text.length < this.shown) {
      this.number = number;
      this.shown = 0;
      this.follows = true;
      this.newest.hidden = true;
      this.confirmed.textContent = "";
    }
    if (text.length > this.shown) this.confirmed.append(text.slice(this.shown));
    this.shown = text.length;
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
    this.isAnimated = this.recording.state === "recording" && !this.isClosed;
    const level = this.recording.listen();
    this.level.style.transform = `scaleX(${level.toFixed(3)})`;
    const time = clock(this.recording.ms);
    if (this.isAnimated && this.time.textContent !== time) this.time.textContent = time;
    if (!this.isAnimated || this.time.textContent !== this.metered) {
      this.metered = this.time.textContent;
      this.meter.setAttribute("aria-valuenow", String(Math.round(100 * level)));
    }
    if (this.isAnimated) requestAnimationFrame(() => this.animate());
  }
}
