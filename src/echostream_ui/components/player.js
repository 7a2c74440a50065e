// The audio player and the transcript together. Streamlit calls the default export again with every
// change of `data`; the player itself is kept, so that it plays on.

const players = new WeakMap();
const EPSILON_S = 0.05;
const MOST_LOOKS = 4;

class Player {
  constructor(root) {
    this.root = root;
    this.lines = [];
    this.current = this.stop = -1;
    this.isFollowing = true;
    const part = (selector) => root.querySelector(selector);
    this.section = part(".player");
    this.audio = part("audio");
    this.message = part(".message");
    this.box = part(".box");
    this.list = part(".lines");
    this.followButton = part(".follow");
    this.hint = part(".hint");
    this.find = new Find(root, this);
    this.edits = new Edits(this);
    this.listen();
  }

  listen() {
    for (const name of ["timeupdate", "seeking", "play"]) {
      this.audio.addEventListener(name, () => this.onTime());
    }
    this.audio.addEventListener("error", () => this.tell(this.data.unplayable));
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.followButton.addEventListener("click", () => this.follow(true));
    // Whoever scrolls wants to read elsewhere; the scrollbar is part of the box itself.
    for (const name of ["wheel", "touchmove"]) {
      this.box.addEventListener(name, () => this.follow(false), { passive: true });
    }
    this.box.addEventListener("pointerdown", (event) => {
      if (event.target === this.box) this.follow(false);
    });
    this.onGoto = ({ detail }) => {
      const index = this.lines.findIndex((line) => line.id === detail.line);
      if (index >= 0) this.goto(index);
    };
    window.addEventListener("echostream-goto", this.onGoto);
  }

  close() {
    window.removeEventListener("echostream-goto", this.onGoto);
    this.audio.pause();
  }

  update(data, trigger) {
    this.trigger = trigger;
    this.data = data;
    const source = data.audio ? address(data.audio) : null;
    if (source !== this.source) {
      this.source = source;
      this.audio.hidden = !source;
      if (source) this.audio.src = source;
    }
    this.tell(data.notice);
    this.hint.textContent = source
      ? "Choose a line to play from there. On the keyboard: arrow keys, Enter to play, E to edit."
      : "On the keyboard: arrow keys to move, E to edit a line.";
    this.setLines(data.lines);
    this.begin(data.start);
    this.edits.onReply(data.reply);
  }

  setLines(rows) {
    const isSame = rows.length === this.lines.length && rows.every(([id], i) => id === this.lines[i].id);
    if (isSame) rows.forEach((row, i) => this.lines[i].set(row));
    else {
      this.lines = rows.map((row) => new Line(row));
      this.list.replaceChildren(...this.lines.map((line) => line.item));
      this.current = -1;
      this.setStop(0);
    }
    const isPlayable = Boolean(this.source);
    if (!isSame || isPlayable !== this.isPlayable) {
      this.lines.forEach((line) => line.setPlayable(isPlayable));
      this.section.classList.toggle("playable", isPlayable);
      this.isPlayable = isPlayable;
    }
    this.find.run(false);
  }

  /** Go to the line that the page was opened for, once. */
  begin(start) {
    const index = this.lines.findIndex((line) => line.id === start);
    if (index < 0 || this.started === start) return;
    this.started = start;
    this.goto(index);
    requestAnimationFrame(() => this.section.scrollIntoView({ block: "start" }));
  }

  tell(message) {
    this.message.textContent = message ?? "";
    this.message.hidden = !message;
  }

  // Playing

  goto(index) {
    this.follow(true);
    this.setCurrent(index);
    this.bringIntoWindow();
    if (!this.source) return;
    this.audio.currentTime = this.lines[index].start;
    this.audio.play().catch(() => {}); // what is wrong with it is told by its own event
  }

  onTime() {
    const time = this.audio.currentTime + EPSILON_S;
    if (this.audio.paused && this.audio.currentTime === 0) return;
    let [low, high] = [0, this.lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle].start <= time) low = middle + 1;
      else high = middle;
    }
    this.setCurrent(low - 1);
  }

  setCurrent(index) {
    if (index === this.current) return;
    this.lines[this.current]?.setCurrent(false);
    this.lines[index]?.setCurrent(true);
    this.current = index;
    if (this.isFollowing) this.scrollTo(index);
  }

  follow(isFollowing) {
    this.isFollowing = isFollowing;
    this.followButton.hidden = isFollowing || this.current < 0 || !this.source;
    if (isFollowing) this.scrollTo(this.current);
  }

  /** To a line that was found. */
  lookAt(index) {
    this.follow(false);
    this.scrollTo(index);
  }

  /** Move the box alone, never the page, and only if the line is not well in sight. Lines out of
   * sight have only an estimated height until they are shown: hence further looks. */
  scrollTo(index, looks = MOST_LOOKS) {
    const item = this.lines[index]?.item;
    if (!item) return;
    this.aim = index;
    const [line, box] = [item.getBoundingClientRect(), this.box.getBoundingClientRect()];
    if (line.top < box.top + 8 || line.bottom > box.bottom - 0.15 * box.height) {
      this.box.scrollTop += line.top - box.top - 0.3 * box.height;
    }
    requestAnimationFrame(() => {
      if (looks && this.aim === index) this.scrollTo(index, looks - 1);
    });
  }

  bringIntoWindow() {
    const { top } = this.section.getBoundingClientRect();
    if (top < 0 || top > 0.6 * window.innerHeight) this.section.scrollIntoView({ block: "start" });
  }

  // Keyboard and mouse

  indexOf(target) {
    const item = target.closest("li");
    return this.lines.findIndex((line) => line.item === item);
  }

  onClick(event) {
    const index = this.indexOf(event.target);
    if (index < 0 || event.target.closest(".editor, .original")) return;
    const line = this.lines[index];
    this.setStop(index);
    if (event.target.closest(".edit")) this.edits.open(line);
    else if (event.target.closest(".edited")) this.edits.toggleOriginal(line);
    else if (this.source && !this.isSelecting()) this.goto(index);
  }

  isSelecting() {
    const selection = this.root.getSelection?.() ?? document.getSelection();
    return Boolean(selection && String(selection).trim());
  }

  onKey(event) {
    const index = this.indexOf(event.target);
    if (!event.target.matches(".line") || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: this.lines.length - 1 };
    if (event.key in steps) {
      this.follow(false);
      this.focus(Math.min(this.lines.length - 1, Math.max(0, steps[event.key])));
    } else if (event.key === "e" || event.key === "E") this.edits.open(this.lines[index]);
    else if ((event.key === "Enter" || event.key === " ") && this.source) this.goto(index);
    else return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has shortcuts of its own
  }

  /** The list is one stop of the Tab key; arrow keys move within it. */
  setStop(index) {
    this.lines[this.stop]?.setTabStop(false);
    this.lines[index]?.setTabStop(true);
    this.stop = index;
  }

  focus(index) {
    this.setStop(index);
    this.lines[index]?.body.focus({ preventScroll: true });
    this.scrollTo(index);
  }
}

/** Audio of the frontend's own lies beside the page, under whatever path both are served. */
function address(audio) {
  if (/^https?:/i.test(audio)) return audio;
  const folder = window.location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "");
  return new URL((folder || "/") + audio, window.location.origin).href;
}

export default function ({ parentElement, data, setTriggerValue }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  player.update(data, setTriggerValue);
  return () => {
    players.delete(parentElement);
    player.close();
  };
}
