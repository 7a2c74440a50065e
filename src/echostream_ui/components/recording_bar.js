// Above every page: says that the window's recording goes on, on any page but Live, which shows it
// itself. It is also the one through which the recording speaks with the server's page.

const bars = new WeakMap();
const TICK_MS = 250;

export default function ({ parentElement, data, setTriggerValue }) {
  let bar = bars.get(parentElement);
  if (!bar) {
    bar = new Bar(parentElement);
    bars.set(parentElement, bar);
  }
  bar.update(data, setTriggerValue);
  return () => {
    bars.delete(parentElement);
    bar.close();
  };
}

class Bar {
  constructor(root) {
    for (const name of ["bar", "words", "time", "text", "pause", "stop", "result", "close"]) {
      this[`${name}Part`] = root.querySelector(`.${name}`);
    }
    this.recording = Recording.ofWindow();
    this.textPart.onclick = () => openPage(addressOf("live"));
    this.pausePart.onclick = () => this.recording.pause();
    this.stopPart.onclick = () => this.recording.stop();
    this.resultPart.onclick = (event) => this.open(event);
    this.closePart.onclick = () => this.forget();
    this.onChange = () => this.show();
    this.recording.addEventListener("change", this.onChange);
  }

  update({ ticket, isHere, isAllowed }, tell) {
    Object.assign(this, { isHere, isAllowed });
    this.recording.server = tell;
    this.recording.takeTicket(ticket);
    if (!isAllowed) this.recording.leave();
    this.show();
  }

  close() {
    clearInterval(this.ticking);
    this.recording.removeEventListener("change", this.onChange);
  }

  open(event) {
    if (isForBrowser(event)) return;
    event.preventDefault();
    this.forget();
    openPage(this.resultPart.href);
  }

  forget() {
    this.wasOn = false;
    this.show();
  }

  show() {
    const { state, problem, isOn, isPaused } = this.recording;
    if (isOn) this.wasOn = true;
    else if (this.isHere) this.wasOn = false;
    const hasEnded = this.wasOn && !isOn;
    this.barPart.hidden = this.isHere || !(isOn || hasEnded);
    if (this.barPart.hidden) return clearInterval(this.ticking);
    this.barPart.classList.toggle("recording", state === "recording" && !isPaused);
    say(this.wordsPart, this.words(state, problem));
    this.textPart.hidden = hasEnded || !this.isAllowed;
    this.stopPart.hidden = this.pausePart.hidden = state !== "recording";
    say(this.pausePart, isPaused ? "Resume" : "Pause");
    this.resultPart.hidden = !(hasEnded && this.recording.id);
    this.resultPart.href = addressOf("recording", { id: this.recording.id });
    this.closePart.hidden = !hasEnded;
    this.timePart.hidden = hasEnded;
    clearInterval(this.ticking);
    if (!hasEnded) this.ticking = setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  words(state, problem) {
    if (problem) return problem;
    if (state === "idle") return this.recording.notice || "The recording is in the library.";
    if (state === "finishing") return finishing(this.recording.finalPass);
    return this.recording.notice || (this.recording.isPaused ? "The recording is paused." : "The recording goes on.");
  }

  tick() {
    this.recording.listen();
    say(this.timePart, clock(this.recording.ms));
  }
}

/** In tens: a screen reader reads out every change. */
function finishing(pass) {
  return `The text is being finished${pass ? `: ${Math.floor(pass.progress / 10) * 10}%` : "."}`;
}
