// Search on pages that are opened from disk. There browsers start no worker, so the script of the search
// runs in a hidden frame. Nothing is fetched; on a server nothing of this is used.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inner = frame.contentWindow;
      this.inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.inner.importScripts = (...urls) =>
        urls.reduce((before, one) => before.then(() => this.loaded(one)), Promise.resolve());
      this.ready = this.loaded(url);
    }

    loaded(url) {
      const script = this.inner.document.createElement("script");
      script.src = new URL(url, location.href);
      return new Promise((done, failed) => {
        script.onload = done;
        script.onerror = () => failed(new Error(`${url}: cannot be loaded`));
        this.inner.document.body.append(script);
      });
    }

    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.inner.frameElement.remove();
    }
  };
  window.Worker = window.IFrameWorker;
}
