// The window's recording as the Live page shows it: buttons, time and level, the text, and beside it
// bookmarks and insights.

const LABELS = {
  idle: "Start recording",
  asking: "Waiting for the sound",
  recording: "Stop",
  finishing: "Finishing the text",
};
const STAGES = { transcribing: "The whole recording is read once more", diarizing: "Speakers are told apart" };
const PAUSED = "Paused: what is said now is not recorded.";
const NO_SHARING =
  "This browser cannot share the sound of a tab or of the computer. Chrome and Edge on a computer can.";
const SHARING = {
  shared: "The browser asks what to share. Choose a tab, or on Windows a screen, and switch on that its sound is shared.",
  both: "The browser asks what to share, with its sound. Use headphones, or the microphone hears it too.",
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
    for (const name of ["recorder", "toggle", "label", "pause", "mark", "source", "time", "meter"]) {
      this[`${name}Part`] = root.querySelector(`.${name}`);
    }
    for (const name of ["level", "lag", "advice", "notice", "problem", "pass", "page", "hint", "heard", "newest"]) {
      this[`${name}Part`] = root.querySelector(`.${name}`);
    }
    this.recording = Recording.ofWindow();
    this.text = new LiveText(root.querySelector(".confirmed"));
    this.bookmarks = new BookmarkList(root.querySelector(".bookmarks"), {
      onGo: (ms) => this.goTo(ms),
      onNote: (bookmark, note) => this.recording.annotate(bookmark, note),
      onRemove: (bookmark) => this.recording.unmark(bookmark),
      onDone: () => this.markPart.focus(),
    });
    this.soFar = new SoFar(root.querySelector(".so-far"), (ms) => this.goTo(ms));
    this.follows = true;
    this.listen();
    this.show();
  }

  listen() {
    this.togglePart.onclick = () => this.recording.toggle();
    this.pausePart.onclick = () => this.recording.pause();
    this.markPart.onclick = () => this.bookmarks.focus(this.recording.mark());
    this.sourcePart.onchange = () => {
      this.recording.from = this.sourcePart.value;
      this.advise();
    };
    this.newestPart.onclick = () => this.goToNewest();
    this.pagePart.onscroll = () => this.followOrNot();
    this.onChange = () => this.show();
    this.recording.addEventListener("change", this.onChange);
    this.sourcePart.value = this.recording.from;
    for (const option of this.sourcePart.options) {
      option.disabled = option.value !== "microphone" && !Sound.canShare();
    }
  }

  close() {
    this.isClosed = true;
    this.recording.removeEventListener("change", this.onChange);
  }

  show() {
    const { state, isPaused, problem, notice, lagMs } = this.recording;
    const isRecording = state === "recording";
    say(this.labelPart, LABELS[state]);
    this.recorderPart.classList.toggle("recording", isRecording && !isPaused);
    this.togglePart.classList.toggle("stops", isRecording);
    this.togglePart.setAttribute("aria-disabled", String(state === "asking" || state === "finishing"));
    say(this.pausePart, isPaused ? "Resume" : "Pause");
    this.pausePart.disabled = this.markPart.disabled = !isRecording;
    this.sourcePart.disabled = state !== "idle";
    tell(this.problemPart, problem);
    tell(this.noticePart, [isPaused && PAUSED, notice].filter(Boolean).join(" "));
    this.advise();
    this.showPass();
    this.showText();
    this.bookmarks.show(this.recording.bookmarks, this.recording.isOn);
    this.soFar.show(this.recording.insights);
    say(this.lagPart, lagMs === null || isPaused ? "" : `${inWords(lagMs)} behind`);
    if (this.follows) this.goToNewest();
    if (!this.isAnimated) this.animate();
  }

  advise() {
    const { state, from } = this.recording;
    tell(this.advicePart, state !== "idle" ? "" : Sound.canShare() ? SHARING[from] ?? "" : NO_SHARING);
  }

  /** How far the last reading is. */
  showPass() {
    const pass = this.recording.finalPass;
    this.passPart.hidden = !pass;
    if (!pass) return;
    this.passPart.querySelector("progress").value = pass.progress;
    const left = pass.secondsLeft === null ? "" : `, about ${clock(1000 * pass.secondsLeft)} left`;
    say(this.passPart.querySelector(".pass-words"), `${STAGES[pass.stage]}: ${pass.progress}%${left}`);
  }

  /** Append what is new: a screen reader reads out only that. */
  showText() {
    const { number, said, labels, tentative, isSettled } = this.recording;
    if (number !== this.number || said.length < this.shown) this.begin(number);
    said.slice(this.shown).forEach((piece) => this.text.add(piece));
    // Not what was read out already, before the user looked at another page.
    if (this.isShown && said.length > this.shown) say(this.heardPart, textOf(said.slice(this.shown)));
    this.isShown = true;
    labels.slice(this.named).forEach((label) => this.text.name(label));
    if (labels.length > this.named) this.text.showNames();
    this.shown = said.length;
    this.named = labels.length;
    this.text.expect(tentative);
    this.recorderPart.classList.toggle("settled", isSettled);
    this.hintPart.hidden = said.length > 0 || Boolean(tentative);
  }

  begin(number) {
    this.number = number;
    this.shown = this.named = 0;
    this.follows = true;
    this.newestPart.hidden = true;
    say(this.heardPart, "");
    this.text.clear();
    this.soFar.clear();
  }

  /** Show the line of a moment. */
  goTo(ms) {
    const line = this.text.at(ms);
    if (!line) return;
    this.follows = false;
    line.item.scrollIntoView({ block: "center" });
    line.item.focus({ preventScroll: true });
    this.followOrNot();
  }

  goToNewest() {
    this.pagePart.scrollTop = this.pagePart.scrollHeight;
  }

  // Whoever scrolls up to read is left in peace.
  followOrNot() {
    const page = this.pagePart;
    this.follows = page.scrollHeight - page.clientHeight - page.scrollTop < 40;
    this.newestPart.hidden = this.follows;
  }

  animate() {
    this.isAnimated = this.recording.state === "recording" && !this.isClosed;
    const level = this.recording.listen();
    this.levelPart.style.transform = `scaleX(${level.toFixed(3)})`;
    const time = clock(this.recording.ms);
    if (this.isAnimated && this.timePart.textContent !== time) this.timePart.textContent = time;
    if (!this.isAnimated || this.timePart.textContent !== this.metered) {
      this.metered = this.timePart.textContent;
      this.meterPart.setAttribute("aria-valuenow", String(Math.round(100 * level)));
    }
    if (this.isAnimated) requestAnimationFrame(() => this.animate());
  }
}

function textOf(pieces) {
  return pieces.map(([, , , text]) => text).join("");
}

function tell(element, text) {
  say(element, text);
  element.hidden = !text;
}
