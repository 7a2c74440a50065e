// What is kept of a recording while its window is open, however often Streamlit draws the page anew:
// its sound, which plays on, texts that are being typed, and what can be undone.

const LINGER_MS = 5_000;
const LEFT_MS = 100;

class Memory {
  /** That of a recording. Each component is a module of its own, so it lies on the window. */
  static of(id) {
    const all = (window.echostreamMemory ??= new Map());
    if (!all.has(id)) all.set(id, new Memory(id));
    return all.get(id);
  }

  constructor(id) {
    this.id = id;
    this.drafts = new Map();
    this.undo = [];
    this.media = null;
  }

  /** Returns the element that plays `source`, the same one for as long as it is the same source. */
  open(source, isVideo) {
    if (this.media && this.source === source) return this.media;
    this.stop();
    this.source = source;
    this.media = document.createElement(isVideo ? "video" : "audio");
    this.media.preload = "metadata";
    this.media.src = source;
    // Sound alone needs no place on the page, and nothing that is drawn anew there can stop it.
    if (!isVideo) document.body.append(this.media);
    return this.media;
  }

  hold(player) {
    if (this.player === player) return;
    this.player = player;
    clearTimeout(this.lingering);
    // A film stops when it leaves the page, even if only to come back.
    if (this.wasPlaying && this.media?.paused) this.media.play().catch(() => {});
    this.wasPlaying = false;
  }

  /** The player is no longer on the page: for a moment if the page is drawn anew, or for good. */
  release(player) {
    if (this.player !== player) return;
    this.player = null;
    this.wasPlaying = Boolean(this.media && !this.media.paused);
    const stop = () => !this.player && this.stop();
    const look = () => {
      if (new URLSearchParams(location.search).get("id") !== this.id) stop();
      else this.lingering = setTimeout(stop, LINGER_MS);
    };
    this.lingering = setTimeout(look, LEFT_MS);
  }

  stop() {
    this.media?.pause();
    this.media?.remove();
    this.media = this.source = null;
    this.wasPlaying = false;
  }
}

/** Returns what was kept in the browser under this name, an empty object if nothing was. */
function recalled(name) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? {};
  } catch {
    return {};
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing does without.
  }
}

/** Audio of the frontend's own lies beside the page, under whatever path both are served. */
function address(audio) {
  if (/^https?:/i.test(audio)) return audio;
  const folder = window.location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "");
  return new URL((folder || "/") + audio, window.location.origin).href;
}
