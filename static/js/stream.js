// The page's stream of events, closed while nobody sees the page: a browser
// opens six connections to a server and no more, so hidden pages would keep the
// seventh from loading. A page that is seen again is sent whole.

const lingers = 2000; // ms, so that a glance at another page costs nothing

class Stream {
  #url;
  #source = null;
  #listeners = [];
  #closed = false;
  #leaving = 0;

  constructor(url) {
    this.#url = url;
    document.addEventListener('visibilitychange', this.#turn);
    if (!document.hidden) this.#open();
  }

  get readyState() {
    if (this.#closed) return EventSource.CLOSED;
    return this.#source ? this.#source.readyState : EventSource.CONNECTING;
  }

  addEventListener(type, listener) {
    this.#listeners.push([type, listener]);
    this.#source?.addEventListener(type, listener);
  }

  removeEventListener(type, listener) {
    this.#listeners = this.#listeners.filter(([t, l]) => t !== type || l !== listener);
    this.#source?.removeEventListener(type, listener);
  }

  close() {
    this.#closed = true;
    document.removeEventListener('visibilitychange', this.#turn);
    this.#pause();
  }

  #open() {
    const source = new EventSource(this.#url);
    source.onopen = (event) => this.onopen?.(event);
    source.onerror = (event) => {
      if (source.readyState === EventSource.CLOSED) this.close(); // another one is made
      this.onerror?.(event);
    };
    for (const [type, listener] of this.#listeners) source.addEventListener(type, listener);
    this.#source = source;
  }

  #pause = () => {
    this.#source?.close();
    this.#source = null;
  };

  #turn = () => {
    clearTimeout(this.#leaving);
    if (document.hidden) {
      this.#leaving = setTimeout(this.#pause, lingers);
    } else if (!this.#source) {
      document.dispatchEvent(new CustomEvent('loupe:seen'));
      this.#open();
    }
  };
}

window.htmx.createEventSource = (url) => new Stream(url);
