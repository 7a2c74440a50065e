// The player and the transcript together. Streamlit calls the default export again with every change
// of `data`; the player itself is kept, and its sound in `memory.js`, so that it plays on.

const players = new WeakMap();
const EPSILON_S = 0.05;
const MOST_LOOKS = 4;
const TOLD_MS = 6_000;
const IN_SIGHT = { rootMargin: "400px 0px" };

class Player {
  constructor(root) {
    this.root = root;
    this.lines = [];
    this.current = this.stop = -1;
    this.isFollowing = true;
    const part = (selector) => root.querySelector(selector);
    this.section = part(".player");
    this.message = part(".message");
    this.picture = part(".picture");
    this.desk = part(".desk");
    this.list = part(".lines");
    this.followButton = part(".follow");
    this.hint = part(".hint");
    this.unsureButton = part(".unsure");
    this.scroller = root.host.closest("[data-testid=stMain]") ?? document.scrollingElement;
    this.controls = new Controls(root, this);
    this.find = new Find(root, this);
    this.edits = new Edits(root, this);
    this.replacing = new Replace(root, this, this.find);
    this.looking = new IntersectionObserver((seen) => this.onSight(seen), IN_SIGHT);
    this.listen(part(".jump"));
  }

  listen(jump) {
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.followButton.addEventListener("click", () => this.follow(true));
    this.unsureButton.addEventListener("click", () => {
      const isShown = this.section.classList.toggle("shows-unsure");
      this.unsureButton.setAttribute("aria-pressed", String(isShown));
    });
    jump.addEventListener("click", () => this.jump());
    // Whoever scrolls wants to read elsewhere.
    this.leaveOff = ({ target, type }) => {
      if (type !== "pointerdown" || target === this.scroller) this.follow(false);
    };
    for (const name of ["wheel", "touchmove", "pointerdown"]) {
      this.scroller.addEventListener(name, this.leaveOff, { passive: true });
    }
    this.onGoto = (event) => {
      const { detail } = event;
      event.preventDefault(); // so that its sender knows that there is a player
      const isTime = detail.at !== undefined;
      const of = isTime ? indexAt(this.lines, detail.at) : this.lines.findIndex(({ id }) => id === detail.line);
      if (isTime) this.goto(Math.max(0, of), detail.at);
      else if (of >= 0) this.goto(of);
    };
    window.addEventListener("echostream-goto", this.onGoto);
  }

  close() {
    window.removeEventListener("echostream-goto", this.onGoto);
    for (const name of ["wheel", "touchmove", "pointerdown"]) {
      this.scroller.removeEventListener(name, this.leaveOff);
    }
    this.looking.disconnect();
    this.controls.close();
    this.edits.close();
    this.memory.release(this);
  }

  update(data, trigger) {
    this.trigger = trigger;
    this.data = data;
    this.id = data.recording;
    this.memory = Memory.of(this.id);
    this.setSource(data.audio ? address(data.audio) : null);
    if (data.notice !== this.notice) this.tell((this.notice = data.notice), { stays: true });
    this.hint.textContent = this.source
      ? "Choose a word to play from there. Keys: Space plays and pauses, ← → by 5 s, J and L by 15 s, B sets a bookmark; in the transcript ↑ ↓ move, Enter plays, E edits, S changes the speaker, C copies."
      : "Keys: ↑ ↓ move in the transcript, E edits a line, S changes its speaker, C copies it.";
    this.setLines(data.lines);
    this.root.host.dataset.shown = ""; // the page keeps room until then
    this.memory.hold(this);
    this.edits.restore(this.memory);
    this.begin(data);
    this.edits.onReply(data.reply);
  }

  setSource(source) {
    if (source === this.source && this.memory.media === this.media) return;
    this.source = source;
    this.media = source ? this.memory.open(source, this.data.isVideo) : null;
    if (this.media) this.media.onerror = () => this.tell(this.data.unplayable, { stays: true });
    this.picture.replaceChildren(...(this.media && this.data.isVideo ? [this.media] : []));
    this.showPicture();
    if (this.media) this.media.onloadedmetadata = () => this.showPicture();
    this.controls.take(this.media);
  }

  /** A file that may hold a film may also hold only its sound, which the browser finds out. */
  showPicture() {
    const isSound = this.media?.readyState > 0 && !this.media.videoWidth;
    this.picture.hidden = !this.picture.children.length || isSound;
  }

  setLines(rows) {
    const isSame = rows.length === this.lines.length && rows.every(([id], i) => id === this.lines[i].id);
    if (isSame) rows.forEach((row, i) => this.lines[i].set(row));
    else {
      this.looking.disconnect();
      this.lines = rows.map((row) => new Line(row));
      this.lineOf = new Map(this.lines.map((line) => [line.item, line]));
      this.list.replaceChildren(...this.lines.map((line) => line.item));
      this.lines.forEach((line) => this.looking.observe(line.item));
      this.controls.setLines(this.lines);
      this.current = -1;
      this.setStop(0);
    }
    this.lines.forEach((line, i) => {
      line.setGoesOn(Boolean(line.speaker) && line.speaker === this.lines[i - 1]?.speaker);
    });
    this.unsureButton.hidden = !this.lines.some((line) => line.words.some(([, , , sure]) => sure < UNSURE));
    const isPlayable = Boolean(this.source);
    if (!isSame || isPlayable !== this.isPlayable) {
      this.lines.forEach((line) => line.setPlayable(isPlayable));
      this.section.classList.toggle("playable", isPlayable);
      this.isPlayable = isPlayable;
    }
    this.find.run(false);
  }

  onSight(seen) {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      this.lineOf.get(target)?.showWords();
      this.looking.unobserve(target);
    }
  }

  /** Go to where the page was opened, once: a line, a time, or where its user stopped last time. */
  begin({ start, at, query }) {
    const place = JSON.stringify([start, at, query]);
    if (this.begun === place || !this.lines.length) return;
    this.begun = place;
    const index = this.lines.findIndex((line) => line.id === start);
    if (query) this.find.begin(query, at);
    if (index >= 0) this.goto(index);
    else if (at !== null) this.controls.go(at);
    else if (this.media?.paused && this.media.currentTime === 0) {
      const kept = this.controls.keptPlace();
      if (kept) this.media.currentTime = kept;
    }
  }

  tell(message, { stays = false } = {}) {
    clearTimeout(this.telling);
    this.message.textContent = message ?? "";
    this.message.hidden = !message;
    if (!stays) this.telling = setTimeout(() => this.tell(this.notice, { stays: true }), TOLD_MS);
  }

  // Playing

  /** Play from a line, or from a time in it. */
  goto(index, time_s = this.lines[index]?.start ?? 0) {
    this.follow(true);
    this.setCurrent(index);
    this.scrollTo(index);
    if (!this.media) return;
    this.media.currentTime = time_s;
    this.controls.play();
  }

  onTime() {
    if (!this.media) return;
    this.controls.showTime();
    this.controls.skipSilence();
    const time = this.media.currentTime + EPSILON_S;
    if (this.media.paused && this.media.currentTime === 0) return;
    const index = indexAt(this.lines, time);
    this.setCurrent(index);
    this.lines[index]?.say(time);
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

  /** Move the page only if the line is not well in sight, below the player. Lines out of sight have
   * only an estimated height until they are shown: hence further looks. */
  scrollTo(index, looks = MOST_LOOKS) {
    const item = this.lines[index]?.item;
    if (!item) return;
    this.aim = index;
    const line = item.getBoundingClientRect();
    const top = this.desk.getBoundingClientRect().bottom;
    const height = window.innerHeight - top;
    if (line.top < top + 4 || line.bottom > window.innerHeight - 0.2 * height) {
      this.scroller.scrollTop += line.top - top - 0.25 * height;
    }
    requestAnimationFrame(() => {
      if (looks && this.aim === index) this.scrollTo(index, looks - 1);
    });
  }

  /** On a phone the insights come after the transcript: go there, or back. */
  jump() {
    const insights = document.querySelector("[data-testid=stTabs]");
    const isThere = insights && insights.getBoundingClientRect().top < window.innerHeight / 2;
    if (!isThere) this.follow(false);
    if (isThere) this.scrollTo(Math.max(0, this.current));
    else insights?.scrollIntoView();
  }

  // Keyboard and mouse

  indexOf(target) {
    return this.lines.indexOf(this.lineOf.get(target.closest("li")));
  }

  onClick(event) {
    const index = this.indexOf(event.target);
    if (index < 0 || event.target.closest(".editor, .original, .naming")) return;
    const line = this.lines[index];
    this.setStop(index);
    const opener = event.target.closest(".speaker, .whose");
    if (opener) this.openNaming(line, opener);
    else if (event.target.closest(".copy")) this.copy(line);
    else if (event.target.closest(".edit")) this.edits.open(line);
    else if (event.target.closest(".edited")) this.edits.toggleOriginal(line);
    else if (this.source && !this.isSelecting()) {
      this.goto(index, line.startOf(event.target.closest(".word")) ?? line.start);
    }
  }

  openNaming(line, opener) {
    this.naming?.close();
    this.naming = new Naming(this, line, opener);
  }

  async copy(line) {
    const isCopied = await copied(line.quote);
    this.tell(isCopied ? "The line is copied." : "This browser does not let pages copy.");
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
    else if (event.key === "s" || event.key === "S") this.openNaming(this.lines[index], event.target);
    else if (event.key === "c" || event.key === "C") this.copy(this.lines[index]);
    else if (event.key === "Enter" && this.source) this.goto(index);
    else return; // Space among others: the controls know it on the whole page
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
