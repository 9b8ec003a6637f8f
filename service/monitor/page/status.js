'use strict';

// Text reaches the page as text nodes and attributes only: nothing that the server tells is HTML.
const byId = (id) => document.getElementById(id);

function make(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children.flat().filter((child) => child !== null && child !== ''));
  return element;
}

// --- Words ---

const word = (name, prefix) => (name || '').replace(prefix, '').toLowerCase().replaceAll('_', ' ');
const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
const number = (text) => Number(text || 0);

function spell(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}h ${Math.floor(seconds % 3600 / 60)}m`;
  return `${Math.floor(seconds / 86400)}d`;
}

// A duration of the proto's JSON: "1.500s".
const secondsOf = (duration) => parseFloat(duration || '0');

function ageOf(time) {
  return `${spell(Math.max(0, (Date.now() - Date.parse(time)) / 1000))} ago`;
}

const ago = (time) => make('time', {datetime: time, title: time}, ageOf(time));

// --- Databases ---

const kRow = 28;
const kLane = 16;

// Gives each revision a row and a lane, and each edge a lane to run down in. The revisions come
// newest first, a revision before all that it revises or depends on.
function layOut(revisions) {
  const places = new Map();
  const edges = [];
  const lanes = [];
  let width = 1;
  const free = () => {
    const gap = lanes.indexOf(null);
    return gap < 0 ? lanes.push(null) - 1 : gap;
  };
  revisions.forEach((revision, row) => {
    const id = revision.revision;
    let lane = lanes.indexOf(id);
    if (lane < 0) lane = free();
    lanes.forEach((wanted, i) => { if (wanted === id) lanes[i] = null; });
    places.set(id, {lane, row});
    const down = (revision.down_revisions || []).map((to) => ({to, depends: false}));
    const needs = (revision.dependencies || []).map((to) => ({to, depends: true}));
    lanes[lane] = '';
    let own = true;
    for (const {to, depends} of [...down, ...needs]) {
      const edge = {from: id, to, depends, lane: own ? lane : free()};
      own = false;
      lanes[edge.lane] = to;
      edges.push(edge);
    }
    if (own) lanes[lane] = null;
    width = Math.max(width, lanes.length);
  });
  return {places, edges, width};
}

function drawGraph(revisions) {
  const {places, edges, width} = layOut(revisions);
  const x = (lane) => lane * kLane + 10;
  const y = (row) => row * kRow + kRow / 2;
  const svg = draw('svg', {
    'aria-hidden': 'true', width: width * kLane + 8, height: revisions.length * kRow,
  });
  for (const edge of edges) {
    const from = places.get(edge.from);
    // What is older than the oldest that is shown: the line leaves the picture.
    const to = places.get(edge.to) || {lane: edge.lane, row: revisions.length};
    const bend = kRow / 2;
    const path = [`M ${x(from.lane)} ${y(from.row)}`];
    if (edge.lane !== from.lane) {
      path.push(`C ${x(from.lane)} ${y(from.row) + bend}, ${x(edge.lane)} ${y(from.row) + bend},
                 ${x(edge.lane)} ${y(from.row) + kRow}`);
    }
    if (edge.lane !== to.lane) {
      path.push(`L ${x(edge.lane)} ${Math.max(y(from.row), y(to.row) - kRow)}`,
          `C ${x(edge.lane)} ${y(to.row) - bend}, ${x(to.lane)} ${y(to.row) - bend},
             ${x(to.lane)} ${y(to.row)}`);
    } else {
      path.push(`L ${x(to.lane)} ${y(to.row)}`);
    }
    svg.append(draw('path', {d: path.join(' '), class: edge.depends ? 'depends' : ''}));
  }
  const list = make('ol');
  for (const revision of revisions) {
    const place = places.get(revision.revision);
    const state = revision.is_current ? 'current' : revision.is_applied ? 'applied' : 'pending';
    svg.append(draw('circle', {cx: x(place.lane), cy: y(place.row), r: 5, class: state}));
    const item = make('li', {title: `${revision.revision} ${revision.message || ''}`},
        make('span', {class: 'id'}, revision.revision),
        make('span', {class: 'message'}, revision.message || ''),
        make('span', {class: state === 'pending' ? 'wait' : 'quiet'},
            state + (revision.is_head ? ', head' : '')));
    item.style.paddingLeft = `${width * kLane + 12}px`;
    list.append(item);
  }
  return make('div', {class: 'graph', tabindex: '0', role: 'region', 'aria-label': 'Revisions'},
      svg, list);
}

function stateOf(database) {
  const pending = database.total - database.applied;
  if (database.files_error) return ['bad', 'the migration files cannot be read'];
  if (database.offline) return ['quiet', 'no database: started with --offline'];
  if (database.database_error) return ['bad', 'the database does not answer'];
  if (pending === 0) return ['good', 'up to date'];
  return ['wait', `${pending} pending`];
}

function showDatabase(database, isOpen) {
  const [kind, state] = stateOf(database);
  const card = make('article', {class: 'card', 'data-database': database.name},
      make('div', {class: 'top'}, make('h3', {}, database.name),
          make('span', {class: kind}, state)));
  const rows = database.rows.length ? database.rows.join(', ') : 'base';
  if (!database.offline) {
    card.append(make('p', {}, 'at ', make('span', {class: 'id'}, rows),
        make('span', {class: 'quiet'}, ` · ${database.applied} of ${
            plural(database.total, 'revision')} applied, ${plural(database.heads, 'head')}`)));
  }
  for (const error of [database.files_error, database.database_error]) {
    if (error) card.append(make('p', {class: 'bad'}, error));
  }
  if (database.blocked_sessions) {
    card.append(make('p', {class: 'wait'},
        `${plural(database.blocked_sessions, 'session')} ${
            database.blocked_sessions > 1 ? 'wait' : 'waits'} for an operation's locks`));
  }
  const drift = database.drift && database.drift.drift_reported;
  if (drift) {
    const count = drift.difference_count || 0;
    card.append(make('p', {class: count ? 'bad' : 'quiet'},
        `schema compared with its files: ${plural(count, 'difference')}, `,
        ago(database.drift.time)));
  }
  if (database.revisions.length) {
    const details = make('details', {},
        make('summary', {}, `Revisions${database.revisions.length < database.total ?
            ` (the newest ${database.revisions.length} of ${database.total})` : ''}`),
        drawGraph(database.revisions));
    details.open = isOpen;
    card.append(details);
  }
  return card;
}

function showDatabases(state) {
  byId('server').textContent = `${state.version} on ${state.server}`;
  const root = byId('databases');
  const few = state.databases.length <= 3;
  const old = new Map([...root.querySelectorAll('article')].map(
      (card) => [card.dataset.database, card]));
  const cards = state.databases.map((database) => {
    const text = JSON.stringify(database);
    const before = old.get(database.name);
    // What has not changed stays as it is, with its focus and where it is scrolled to.
    if (before && before.source === text) return before;
    const details = before && before.querySelector('details');
    const card = showDatabase(database, details ? details.open : few);
    card.source = text;
    return card;
  });
  if (cards.length && cards.every((card, i) => root.children[i] === card)) return;
  root.replaceChildren(...cards);
}

// --- Operations ---

function titleOf(operation) {
  const action = word(operation.action, 'ACTION_');
  return `${action} ${(operation.targets || []).join(' ')} on ${operation.database}`;
}

function showBlockers(wait) {
  const blockers = wait.blockers || [];
  if (!blockers.length) return null;
  const cells = (blocker) => [
    `${blocker.pid || 'prepared transaction'}`,
    [blocker.user, blocker.application, blocker.address].filter(Boolean).join(', '),
    `${blocker.state || ''}${blocker.transaction_age ?
        ` for ${spell(secondsOf(blocker.transaction_age))}` : ''}`,
    blocker.query || '',
  ];
  const title = `waits for ${wait.relation || 'a lock'}${
      wait.lock_mode ? ` (${wait.lock_mode})` : ''}; in its way:`;
  return make('div', {class: 'blockers'}, make('p', {class: 'wait'}, title), make('div', {
    class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'sessions in the way',
  }, make('table', {},
      make('thead', {}, make('tr', {}, ['pid', 'who', 'state', 'query'].map(
          (name) => make('th', {scope: 'col'}, name)))),
      make('tbody', {}, blockers.map((blocker) => make('tr', {}, cells(blocker).map(
          (text, i) => make('td', {class: i === 3 ? 'wide id' : ''}, text))))))));
}

function showPosition(operation) {
  const position = operation.position;
  if (!position) return [];
  const statement = Math.min((position.finished_statement_count || 0) + 1,
      position.statement_count || 1);
  const parts = [make('p', {}, `${word(position.direction, 'DIRECTION_')} `,
      make('span', {class: 'id'}, position.revision || ''),
      ` · statement ${statement} of ${position.statement_count || 1}, begun `,
      ago(position.statement_start_time))];
  const progress = position.progress;
  if (progress) {
    const total = number(progress.total);
    const done = number(progress.done);
    const label = [progress.command, progress.relation, progress.phase].filter(Boolean).join(' · ');
    parts.push(make('p', {}, label, total ? ` · ${Math.floor(100 * done / total)}%` : '',
        progress.phase_remaining ?
            ` · ${spell(secondsOf(progress.phase_remaining))} left in this phase` : ''));
    if (total) parts.push(make('progress', {max: total, value: done, 'aria-label': label}));
  }
  return parts;
}

function showRunning(entry) {
  const operation = entry.operation;
  const steps = operation.step_count || 0;
  const done = operation.finished_step_count || 0;
  const state = word(operation.state, 'STATE_');
  const card = make('article', {class: 'card', 'data-operation': operation.operation},
      make('div', {class: 'top'}, make('h3', {}, titleOf(operation)),
          make('span', {class: state === 'running' ? 'good' : 'wait'}, state)),
      make('p', {class: 'quiet'}, make('span', {class: 'id'}, operation.operation),
          ` · by ${operation.requested_by || 'somebody'} · begun `, ago(operation.create_time),
          ` · ${operation.server || ''}`));
  if (steps) {
    card.append(make('p', {}, `${done} of ${plural(steps, 'revision')} done`),
        make('progress', {max: steps, value: done, 'aria-label': 'revisions done'}));
  }
  card.append(...showPosition(operation));
  const holder = entry.mutex_wait;
  if (holder.holder_operation || holder.holder_pid) {
    card.append(make('p', {class: 'wait'}, `waits for its turn behind ${
        holder.holder_operation || `pid ${holder.holder_pid} (${holder.holder_application || ''})`}`));
  }
  const blockers = showBlockers(entry.lock_wait);
  if (blockers) card.append(blockers);
  return card;
}

function showFinished(operation) {
  const state = word(operation.state, 'STATE_');
  const seconds = (Date.parse(operation.finish_time) - Date.parse(operation.create_time)) / 1000;
  const error = operation.error ? operation.error.message : '';
  const cells = [
    ago(operation.finish_time),
    [titleOf(operation), ' ', make('span', {class: 'id'}, operation.operation)],
    make('span', {class: state === 'succeeded' ? 'good' : 'bad'}, state),
    plural(operation.finished_step_count || 0, 'revision'), spell(seconds),
    operation.requested_by || '', error,
  ];
  return make('tr', {'data-operation': operation.operation},
      cells.map((cell, i) => make('td', {class: i === 6 ? 'wide' : i === 1 ? '' : 'tight'},
          ...[cell].flat())));
}

function showOperations(state) {
  const running = state.running.map(showRunning);
  byId('running').replaceChildren(...(running.length ? running :
    [make('p', {class: 'quiet'}, 'no operation runs')]));
  const names = ['when', 'what', 'result', 'done', 'took', 'by', 'why'];
  byId('history').replaceChildren(state.finished.length ?
    make('table', {}, make('thead', {}, make('tr', {}, names.map(
        (name) => make('th', {scope: 'col'}, name)))),
    make('tbody', {}, state.finished.map(showFinished))) :
    make('p', {class: 'quiet'}, 'no operation has been run'));
  document.title = running.length ? `(${running.length}) migd` : 'migd';
}

// --- Live ---

function say(text, kind) {
  const status = byId('connection');
  if (status.textContent === text) return;
  status.textContent = text;
  status.className = kind;
}

function follow() {
  const source = new EventSource('events');
  source.addEventListener('open', () => say('live', 'good'));
  source.addEventListener('databases', (event) => showDatabases(JSON.parse(event.data)));
  source.addEventListener('operations', (event) => showOperations(JSON.parse(event.data)));
  source.addEventListener('error', () => {
    say('connection lost; what is shown may be old', 'bad');
    // The browser tries again by itself, but not after an answer that is no stream.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(follow, 3000);
  });
}

// Ages grow without an event. Nothing else of the page is touched: who reads it keeps their place.
setInterval(() => {
  for (const time of document.querySelectorAll('time')) time.textContent = ageOf(time.dateTime);
}, 1000);
follow();
