'use strict';
const by = id => document.getElementById(id);
function row(cells) {
  const tr = document.createElement('tr');
  for (const cell of cells) {
    const td = document.createElement('td');
    if (cell instanceof Node) td.append(cell); else { td.textContent = cell; if (isNaN(cell)) td.className = 'text'; }
    tr.append(td);
  }
  return tr;
}
function bar(wave) {
  const all = wave.done + wave.failed + wave.running + wave.pending, div = document.createElement('div');
  div.className = 'bar';
  for (const kind of ['done', 'failed', 'running']) {
    const part = document.createElement('span');
    part.className = kind; part.style.width = (100 * wave[kind] / all) + '%'; div.append(part);
  }
  return div;
}
function items(id, texts) {
  by(id).replaceChildren(...texts.map(text => { const li = document.createElement('li'); li.textContent = text; return li; }));
}
const source = new EventSource('/events');
source.onerror = () => { by('lost').textContent = 'the server does not answer'; by('lost').hidden = false; };
source.onmessage = message => { by('lost').hidden = true; show(JSON.parse(message.data)); };
show(JSON.parse(by('now').textContent));
function show(now) {
  const it = now.rollout;
  by('title').textContent = 'Rollouts of ' + now.site;
  by('state').textContent = it ? it.id + ': ' + it.state + (it.reason ? ': ' + it.reason : '') : now.text;
  by('state').className = it && ['stopped', 'damaged'].includes(it.state) ? 'bad' : '';
  by('waves').replaceChildren(...(it ? it.waves : []).map(wave => row([
    wave.number + (wave.canary ? ' (canaries)' : ''), bar(wave), wave.done, wave.failed, wave.running, wave.pending])));
  by('gates').replaceChildren(...(it ? it.gates : []).map(([wave, gate, holds, saw]) =>
    row([wave, gate, holds ? 'holds' : 'does not hold', saw])));
  items('failed', it ? it.failed : []);
  items('out', Object.entries(now.out).map(([name, why]) => name + ': ' + why));
  by('history').replaceChildren(...now.history.map(one => row([one.id, one.machines, one.state])));
}
