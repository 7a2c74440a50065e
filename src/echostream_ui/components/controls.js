// The player's buttons and keys: they play, stop and seek, and say where the sound is.

const TASTES = "echostream-player";
const PLACES = "echostream-places";
const MOST_PLACES_KEPT = 100;
const STEP_S = 5;
const LEAP_S = 15;
const SHORTEST_SILENCE_S = 1.2;
const BEFORE_WORDS_S = 0.2;
const WORTH_KEEPING_S = 5;
const TYPED_IN = "input:not([type=range]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox], [role=menu], [role=dialog]";
const MOVED_BY_ARROWS = "[role=tab], [role=slider], [role=radio], [role=separator]";
const PRESSED = "button, a, summary, [role=tab], [role=radio], [role=checkbox]";

class Controls {
  constructor(root, player) {
    this.player = player;
    const part = (selector) => root.querySelector(selector);
    this.bar = part(".controls");
    this.toggleButton = part(".toggle");
    this.seek = part(".seek");
    this.now = part(".now");
    this.length = part(".length");
    this.speed = part(".speed");
    this.silence = part(".silence");
    this.linkButton = part(".link");
    this.markButton = part(".mark");
    this.silences = [];
    this.listen(root);
    this.tastes = recalled(TASTES);
    this.speed.value = String(this.tastes.speed ?? 1);
    this.silence.setAttribute("aria-pressed", String(Boolean(this.tastes.skips)));
  }

  listen(root) {
    this.toggleButton.addEventListener("click", () => this.toggle());
    for (const each of root.querySelectorAll("[data-by]")) {
      each.addEventListener("click", () => this.move(Number(each.dataset.by)));
    }
    this.seek.addEventListener("input", () => this.go(Number(this.seek.value)));
    this.speed.addEventListener("change", () => this.choose({ speed: Number(this.speed.value) }));
    this.silence.addEventListener("click", () => this.choose({ skips: !this.tastes.skips }));
    this.linkButton.addEventListener("click", () => this.copyLink());
    this.markButton.addEventListener("click", () => this.mark());
    this.onKey = (event) => this.key(event);
    window.addEventListener("keydown", this.onKey);
    this.onChange = () => this.show();
    this.onTime = () => this.player.onTime();
  }

  close() {
    window.removeEventListener("keydown", this.onKey);
    this.leave();
  }

  leave() {
    for (const name of ["play", "pause", "durationchange", "ratechange"]) {
      this.media?.removeEventListener(name, this.onChange);
    }
    for (const name of ["timeupdate", "seeking", "play"]) {
      this.media?.removeEventListener(name, this.onTime);
    }
    this.media = null;
  }

  /** Take over an element that plays; null if there is no sound. */
  take(media) {
    if (media === this.media) return;
    this.leave();
    this.media = media;
    this.bar.hidden = !media;
    if (!media) return;
    for (const name of ["play", "pause", "durationchange", "ratechange"]) {
      media.addEventListener(name, this.onChange);
    }
    for (const name of ["timeupdate", "seeking", "play"]) media.addEventListener(name, this.onTime);
    media.playbackRate = this.tastes.speed ?? 1;
    this.show();
  }

  /** Pauses in which nobody speaks, `[from, to]` in seconds. */
  setLines(lines) {
    this.silences = [];
    let end = 0;
    for (const line of lines) {
      const from = Math.max(end, 0);
      if (line.start - from > SHORTEST_SILENCE_S) this.silences.push([from, line.start]);
      end = Math.max(end, line.end);
    }
  }

  choose(change) {
    Object.assign(this.tastes, change);
    keep(TASTES, this.tastes);
    this.silence.setAttribute("aria-pressed", String(Boolean(this.tastes.skips)));
    if (this.media) this.media.playbackRate = this.tastes.speed ?? 1;
  }

  toggle() {
    if (!this.media) return;
    if (this.media.paused) this.play();
    else this.media.pause();
  }

  play() {
    this.player.follow(true);
    this.media.play().catch(() => {}); // what is wrong with it is told by its own event
  }

  move(by) {
    if (this.media) this.go(this.media.currentTime + by);
  }

  go(time_s) {
    if (!this.media) return;
    this.media.currentTime = Math.min(Math.max(0, time_s), this.media.duration || time_s);
    this.player.follow(true);
    this.player.onTime();
  }

  /** Look more often than the browser tells of the time, so that no word is marked late. */
  follow() {
    cancelAnimationFrame(this.frame);
    if (!this.media || this.media.paused) return;
    this.player.onTime();
    this.frame = requestAnimationFrame(() => this.follow());
  }

  skipSilence() {
    if (!this.tastes.skips || !this.media || this.media.paused || this.media.seeking) return;
    const now = this.media.currentTime;
    const found = this.silences.find(([from, to]) => from + BEFORE_WORDS_S < now && now < to - 2 * BEFORE_WORDS_S);
    if (found) this.media.currentTime = found[1] - BEFORE_WORDS_S;
  }

  show() {
    if (!this.media) return;
    const { paused, duration } = this.media;
    this.toggleButton.classList.toggle("playing", !paused);
    this.toggleButton.setAttribute("aria-label", paused ? "Play" : "Pause");
    const isKnown = Number.isFinite(duration);
    this.seek.max = isKnown ? String(duration) : "0";
    this.seek.disabled = !isKnown;
    this.length.textContent = isKnown ? clock(duration) : "–";
    this.showTime();
    if (!paused) this.follow();
  }

  showTime() {
    const at = this.media.currentTime;
    const said = clock(at);
    this.seek.value = String(at);
    if (this.now.textContent !== said) {
      this.now.textContent = said;
      this.seek.setAttribute("aria-valuetext", said);
      this.keepPlace();
    }
  }

  // The place where the user stopped, in this browser

  keepPlace() {
    const at = this.media.currentTime;
    const { [this.player.id]: _, ...others } = recalled(PLACES);
    const isWorth = at > WORTH_KEEPING_S && at < this.media.duration - WORTH_KEEPING_S;
    const kept = Object.entries(others).slice(-MOST_PLACES_KEPT + 1);
    keep(PLACES, Object.fromEntries(isWorth ? [...kept, [this.player.id, at]] : kept));
  }

  keptPlace() {
    return recalled(PLACES)[this.player.id];
  }

  async copyLink() {
    const link = new URL(location.href);
    link.search = new URLSearchParams({ id: this.player.id, t: String(Math.floor(this.media.currentTime)) });
    // If the browser does not let pages copy, it can be copied by hand.
    this.player.tell((await copied(link.href)) ? "The link to this place is copied." : link.href);
  }

  /** Bookmark this place, to a tenth of a second. */
  mark() {
    const at = Math.round(this.media.currentTime * 10) / 10;
    const isTouched = matchMedia("(hover: none)").matches; // then the bookmarks are far below
    window.dispatchEvent(new CustomEvent("echostream-mark", { detail: { at, isTouched } }));
    if (isTouched) this.player.tell(`${clock(at)} is bookmarked.`);
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !this.media) return;
    const isIn = (kinds) => event.composedPath().some((each) => each.matches?.(kinds));
    if (isIn(TYPED_IN)) return;
    const act = this.actOf(event.key, { isPressed: isIn(PRESSED), isMoved: isIn(MOVED_BY_ARROWS) });
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  actOf(key, { isPressed, isMoved }) {
    const acts = { k: () => this.toggle(), j: () => this.move(-LEAP_S), l: () => this.move(LEAP_S) };
    acts.b = () => this.mark();
    if (!isPressed) acts[" "] = acts.k;
    if (!isMoved) acts.ArrowLeft = () => this.move(-STEP_S);
    if (!isMoved) acts.ArrowRight = () => this.move(STEP_S);
    return acts[key.length === 1 ? key.toLowerCase() : key];
  }
}
