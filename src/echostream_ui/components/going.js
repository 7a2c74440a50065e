// Opens the page that the server asks for, once for each nonce.

const done = new WeakMap();

export default function ({ parentElement, data }) {
  if (done.get(parentElement) === data.nonce) return;
  done.set(parentElement, data.nonce);
  openPage(addressOf(data.page ?? location.pathname.match(/[^/]*$/)[0], data.query));
}
