// What is recorded: the microphone, a tab's or the computer's sound, or both; its level, and its
// sound in pieces.

const PIECE_MS = 250;
const KINDS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "mp4"],
  ["audio/ogg;codecs=opus", "ogg"],
];
const BITS_PER_S = 64_000;
const QUIETEST_DB = -60;
// What makes calls pleasant takes away what a transcription needs.
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

class Sound {
  static isPossible() {
    return Boolean(navigator.mediaDevices && window.MediaRecorder && Sound.kind());
  }

  static canShare() {
    return Boolean(navigator.mediaDevices?.getDisplayMedia);
  }

  static kind() {
    return KINDS.find(([type]) => MediaRecorder.isTypeSupported(type));
  }

  /** `from` is `microphone`, `shared` or `both`. `onLost` is told which of two has ended. */
  static async open(from, { onPiece, onEnd, onLost }) {
    const streams = {};
    try {
      // The shared one first: a browser asks for it only right after a click.
      if (from !== "microphone") streams.shared = await shared();
      if (from !== "shared") {
        const audio = { channelCount: 1, ...AS_IT_IS };
        streams.microphone = await navigator.mediaDevices.getUserMedia({ audio });
      }
    } catch (error) {
      Object.values(streams).forEach(release);
      throw error;
    }
    return new Sound(streams, Sound.kind(), { onPiece, onEnd, onLost });
  }

  constructor(streams, [mimeType, ext], { onPiece, onEnd, onLost }) {
    this.streams = streams;
    this.ext = ext;
    this.context = new AudioContext();
    this.context.resume();
    this.analyser = this.context.createAnalyser();
    this.samples = new Float32Array(this.analyser.fftSize);
    const recorded = this.join(onLost);
    this.recorder = new MediaRecorder(recorded, { mimeType, audioBitsPerSecond: BITS_PER_S });
    this.recorder.ondataavailable = ({ data }) => data.size && onPiece(data);
    this.recorder.onstop = () => {
      Object.values(this.streams).forEach(release);
      this.context.close();
      onEnd();
    };
    this.recorder.start(PIECE_MS);
  }

  /** The stream to record. A microphone alone is recorded as it is: if it is pulled out, the recorder
   * stops by itself. What is shared goes through a mixer, which gives silence where a tab gives
   * nothing: else the recording's times would stand still. */
  join(onLost) {
    const mixer = this.streams.shared && new MediaStreamAudioDestinationNode(this.context, { channelCount: 1 });
    for (const [name, stream] of Object.entries(this.streams)) {
      const source = this.context.createMediaStreamSource(stream);
      source.connect(this.analyser);
      if (mixer) source.connect(mixer);
      stream.getAudioTracks()[0].addEventListener("ended", () => mixer && this.lose(name, onLost));
    }
    return mixer ? mixer.stream : this.streams.microphone;
  }

  lose(name, onLost) {
    const live = Object.values(this.streams).filter((one) => one.getAudioTracks()[0].readyState === "live");
    if (live.length) onLost(name);
    else this.stop();
  }

  // 0 to 1, even for the ear.
  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, one) => sum + one * one, 0) / this.samples.length;
    return Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB);
  }

  pause() {
    if (this.recorder.state !== "recording") return;
    this.recorder.requestData(); // what was said just now is not to wait until it goes on
    this.recorder.pause();
  }

  resume() {
    if (this.recorder.state === "paused") this.recorder.resume();
  }

  stop() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }
}

/** Browsers share sound only together with a picture, which nobody looks at. */
async function shared() {
  const wanted = { video: { frameRate: 1 }, audio: AS_IT_IS, systemAudio: "include" };
  let stream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia(wanted);
  } catch (error) {
    throw Object.assign(error instanceof TypeError ? named("CannotShare") : named("NotShared"), { cause: error });
  }
  if (stream.getAudioTracks().length) return stream;
  release(stream);
  throw named("NoSharedSound");
}

function named(name) {
  return Object.assign(new Error(name), { name });
}

function release(stream) {
  stream.getTracks().forEach((track) => track.stop());
}
