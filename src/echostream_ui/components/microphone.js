// The microphone: its level, and its sound in pieces.

const PIECE_MS = 250;
const KINDS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "mp4"],
  ["audio/ogg;codecs=opus", "ogg"],
];
const BITS_PER_S = 64_000;
const QUIETEST_DB = -60;

class Microphone {
  static isPossible() {
    return Boolean(navigator.mediaDevices && window.MediaRecorder && Microphone.kind());
  }

  static kind() {
    return KINDS.find(([type]) => MediaRecorder.isTypeSupported(type));
  }

  static async open(onPiece, onEnd) {
    // What makes calls pleasant takes away what a transcription needs.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    return new Microphone(stream, Microphone.kind(), onPiece, onEnd);
  }

  constructor(stream, [mimeType, ext], onPiece, onEnd) {
    this.stream = stream;
    this.ext = ext;
    this.context = new AudioContext();
    this.context.resume();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_S });
    this.recorder.ondataavailable = ({ data }) => data.size && onPiece(data);
    this.recorder.onstop = () => {
      this.stream.getTracks().forEach((track) => track.stop());
      this.context.close();
      onEnd();
    };
    // Such as a microphone that is pulled out: the recorder stops by itself then.
    this.recorder.start(PIECE_MS);
  }

  // 0 to 1, even for the ear.
  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, one) => sum + one * one, 0) / this.samples.length;
    return Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB);
  }

  stop() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }
}
