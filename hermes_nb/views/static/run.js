// The window on a run. Whatever a model or a tool wrote gets in as text, through `append` and `textContent`, and in no
// other way; every element and attribute is named here. Python sends rows, and what is behind them when it is asked.

const RANKS = { message: 0, added: 0, reasoning: 1, model: 2, call: 3 };
const GONE = "The kernel stopped: rows stay, and what you had opened.";
const PAGED = 500, PAGE = 200, OUTLINED = 40, STRIP_BARS = 1500;
const QUIET_MS = 2000, SILENT_MS = 4000, LEFT_MS = 2000;
const CHOICES = {
	edit: ["Edit arguments", "the arguments, as JSON", true],
	answer: ["Answer instead", "what the model gets in the tool's place"],
	reject: ["Reject", "the reason, which the model reads"],
};
// Six stand in the footer.
const KEYS = [
	["j k", "row"], ["Enter", "open"], ["e", "next error"], ["t", "timeline"], ["/", "filter"], ["?", "keys"], ["↓ ↑", "row"],
	["→", "open"], ["←", "close"], ["Home End", "first, last row"], ["E", "previous error"], ["o", "outline"],
	["Esc", "clear, then leave"], ["c", "copy the row"],
];

function make(tag, kind, ...parts) {
	const node = document.createElement(tag);
	if (kind) node.className = kind;
	node.append(...parts.filter((part) => part != null));
	return node;
}

// Roles and aria attributes, and no others.
function said(node, { role, ...states }) {
	if (role) node.setAttribute("role", role);
	for (const [name, value] of Object.entries(states)) node.setAttribute(`aria-${name}`, String(value));
	return node;
}

function on(node, kind, act, how) {
	node.addEventListener(kind, act, how);
}

function button(text, kind, act, label) {
	const node = make("button", `btn ${kind}`.trim(), text);
	node.type = "button";
	if (label) said(node, { label });
	on(node, "click", act);
	return node;
}

const label = (...told) => make("span", "label", ...told);

function glyph(sign) {
	return said(make("span", "g", sign), { hidden: true });
}

// Badges and secrets' markers stand out of the text they are in; so do the words that are looked for.
const ODD = /(⟦[^⟧\n]{1,400}⟧|\[redacted:[a-z]{1,20}#\d{1,9}\])/;
function ink(node, text, wanted = "") {
	for (const piece of ODD.test(text) ? text.split(ODD) : [text]) {
		if (ODD.test(piece)) node.append(marked(make("span", "badge"), piece, wanted));
		else marked(node, piece, wanted);
	}
	return node;
}

function marked(node, text, wanted) {
	const lower = wanted ? text.toLowerCase() : "";
	let at = 0;
	for (let hit = wanted ? lower.indexOf(wanted) : -1; hit >= 0; hit = lower.indexOf(wanted, at)) {
		node.append(text.slice(at, hit), make("mark", "", text.slice(hit, hit + wanted.length)));
		at = hit + wanted.length;
	}
	node.append(text.slice(at));
	return node;
}

// A terminal's colours, or tokens: where each begins and ends, and its classes.
function coloured(node, text, colours, wanted) {
	let at = 0;
	for (const [begin, end, kind] of colours) {
		ink(node, text.slice(at, begin), wanted);
		node.append(ink(make("span", kind), text.slice(begin, end), wanted));
		at = end;
	}
	return ink(node, text.slice(at), wanted);
}

// The start of a gist gives way where what is looked for stands further on.
function around(text, wanted) {
	const hit = wanted ? text.toLowerCase().indexOf(wanted) : -1;
	return hit > 30 ? `… ${text.slice(hit - 16)}` : text;
}

function hint([keys, does]) {
	return make("span", "", ...keys.split(" ").flatMap((key) => [make("kbd", "", key), " "]), does);
}

function place(key) {
	const [, turn, part, index] = /^(\d+)\.([a-z]+)(\d*)$/.exec(key) ?? [];
	return part ? Number(turn) * 1e8 + RANKS[part] * 2e7 + Number(index) : -1;
}

function clock(seconds) {
	const whole = Math.max(Math.floor(seconds), 0), two = (number) => String(number).padStart(2, "0");
	const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
	return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const going = (seconds) => (seconds < 10 ? `${Math.max(seconds, 0).toFixed(1)} s` : clock(seconds));
const waiting = (seconds) => `Waiting ${clock(seconds)}.`;
const brief = (seconds) => (seconds < 60 ? `${seconds.toFixed(1)} s` : clock(seconds));

// What is known of a run: one for all windows on it.
class Store {
	constructor(model) {
		Object.assign(this, { model, views: new Set(), last: null, alive: true, ready: false, seq: 0, speed: 1, go: null });
		this.clear();
		model.on("msg:custom", (message) => this.take(message));
		for (const end of ["comm:close", "comm_live_update"]) model.on(end, () => this.lost());
		this.ask({ ask: "rows" });
	}

	clear() {
		Object.assign(this, { rows: new Map(), order: [], folds: new Map(), bodies: new Map(), head: {}, found: null });
		this.at = [performance.now(), 0];
	}

	ask(request) {
		try {
			this.model.send(request);
		} catch {
			this.lost();
		}
	}

	lost() {
		this.alive = false;
		this.tell({});
	}

	// The run's own clock.
	now() {
		const [then, seconds] = this.at;
		return seconds + (this.head.going && this.alive ? ((performance.now() - then) / 1000) * this.speed : 0);
	}

	take(news) {
		if (!news || typeof news !== "object") return;
		this.alive = true;
		if (news.do === "all") {
			const { bodies } = this;
			this.clear();
			this.bodies = bodies;
			Object.assign(this, { ready: true, seq: news.seq, speed: news.speed ?? 1 });
			if (news.go) this.go = news.go;
			this.grow(news, true);
			return;
		}
		if (!this.ready || news.seq <= this.seq) return;
		if (news.seq !== this.seq + 1) this.ask({ ask: "rows" });
		this.seq = news.seq;
		if (news.do === "more") this.grow(news);
		else if (news.do === "body") {
			this.bodies.set(news.id, { parts: news.parts, row: this.rows.get(news.id) });
			this.tell({ body: news.id });
		} else if (news.do === "page") this.paged(news);
		else if (news.do === "copy") {
			this.copying?.(news.text);
			this.copying = null;
		} else if (news.do === "found") {
			this.found = { text: news.text, ids: new Map(news.ids) };
			this.tell({ found: true });
		} else if (news.do === "go") {
			this.go = news.id;
			this.tell({ go: true });
		}
	}

	grow(news, all) {
		Object.assign(this.head, news.head);
		if (news.head.clock !== undefined) this.at = [performance.now(), news.head.clock];
		const added = [];
		for (const row of news.rows) {
			if (!this.rows.has(row.i)) {
				this.insert(row.i);
				added.push(row);
			}
			this.rows.set(row.i, row);
		}
		for (const fold of news.folds) this.folds.set(fold.first, fold);
		this.tell({ all, added, changed: news.rows, head: news.head, folds: all ? [] : news.folds });
	}

	insert(id) {
		const { order } = this;
		let at = order.length;
		while (at > 0 && place(order[at - 1]) > place(id)) at -= 1;
		order.splice(at, 0, id);
	}

	paged({ id, part: number, at, text = "", laid, raw, colours = [], next, mark, then }) {
		const part = this.bodies.get(id)?.parts[number];
		if (!part) return;
		if (!at) Object.assign(part, { text, laid, raw, colours });
		else if (at === part.next) {
			const from = part.text.length;
			part.text += text;
			part.colours = [...part.colours ?? [], ...colours.map(([begin, end, kind]) => [begin + from, end + from, kind])];
		} else return;
		Object.assign(part, { next, mark, then });
		this.tell({ body: id });
	}

	copy(id, part, told) {
		this.copying = told;
		this.ask({ ask: "copy", id, part });
	}

	tell(news) {
		for (const view of this.views) view.hear(news);
	}

	join(view) {
		this.views.add(view);
		clearTimeout(this.leaving);
	}

	leave(view) {
		this.views.delete(view);
		// Shown again at once, it is not gone.
		if (!this.views.size) this.leaving = setTimeout(() => this.views.size || this.ask({ ask: "close" }), LEFT_MS);
	}
}

class View {
	constructor(run, host) {
		// A view begins as the last one was: the lab draws a cell anew when the run ends.
		Object.assign(this, { run, host, items: new Map(), entries: [], unseen: 0, gates: new Map() });
		const last = run.last ?? {};
		this.state = { filter: "", timeline: false, outline: false, more: false, page: null, current: null, ...last };
		Object.assign(this.state, { opened: new Set(last.opened), unfolded: new Set(last.unfolded) });
		this.build();
		this.watch();
		run.join(this);
		setTimeout(() => this.settle());
		this.draw();
		this.arrive();
		requestAnimationFrame(() => run.inside && active() === document.body && this.reach(this.state.current, true));
	}

	build() {
		this.root = said(make("div", "hnb"), { role: "region" });
		on(this.root, "focusin", () => { this.run.inside = true; });
		on(this.root, "focusout", () => setTimeout(() => {
			if (this.root.isConnected) this.run.inside = this.root.contains(active());
		}));
		for (const name of ["facts", "strip", "menu", "answer", "end", "pages", "voice"]) this[name] = make("div", name);
		said(this.strip, { role: "img" });
		said(this.voice, { role: "status" });
		this.title = make("span", "title dim");
		this.stateBox = make("span", "state");
		this.filter = said(make("input", "filter"), { label: "Filter rows" });
		Object.assign(this.filter, { type: "text", placeholder: "Filter", value: this.state.filter, maxLength: 200 });
		on(this.filter, "input", () => this.look(this.filter.value));
		this.count = make("span", "label count");
		this.clearing = button("Clear", "text", () => this.clear());
		this.timing = button("Timeline", "wide", () => this.toggle("timeline"));
		this.stopping = button("■ Stop", "stop", () => this.stop(), "Stop the run");
		this.moring = button("⋯", "text", () => this.toggle("more"), "More");
		const top = make("div", "top", this.stateBox, this.title, this.filter, this.count, this.clearing, this.timing,
			this.stopping, this.moring);
		on(this.strip, "click", (event) => event.target.dataset?.row && this.goTo(event.target.dataset.row));
		this.axis = make("div", "row axis-row");
		this.list = make("ol");
		this.nav = said(make("nav"), { label: "Outline" });
		this.split = make("div", "", this.nav, make("div", "ledger", this.axis, this.list));
		this.footer = make("footer", "", ...KEYS.slice(0, 6).map(hint));
		this.pill = button("", "pill", () => this.toEnd());
		const header = make("header", "", top, this.facts, this.strip);
		this.root.append(make("div", "frame", header, this.menu, this.answer, this.split, this.pages, this.end, this.footer,
			this.pill), this.voice);
		this.host.append(this.root);
		this.pills();
	}

	watch() {
		this.atEnd = true;
		this.sight = new IntersectionObserver(([seen]) => {
			this.settle();
			this.atEnd = seen.isIntersecting;
			if (this.atEnd) this.unseen = 0;
			this.pills();
		});
		this.sight.observe(this.end);
		this.ticking = setInterval(() => this.tick(), 500);
		this.left = new AbortController();
		const early = { capture: true, signal: this.left.signal };
		on(window, "scroll", () => requestAnimationFrame(() => {
			if (this.state.outline) this.whereabouts();
			if (!this.pill.hidden) this.pills();
		}), early);
		// Before Notebook 7 does, which is early too.
		on(window, "keydown", (event) => {
			const path = event.composedPath();
			if (path.includes(this.root)) this.key(event, path[0]);
		}, early);
	}

	// The lab, drawing anew, puts the view before out of its place and does not tell its layout, which misses it.
	settle() {
		this.place = this.host.parentElement;
		const child = this.host.closest(".jp-OutputArea-child"), area = child?.parentElement;
		if (area) Object.assign(this, { area, nth: [...area.children].indexOf(child) });
		for (const other of this.run.views) {
			if (other === this) break;
			if (other.host.parentElement || !this.place || (other.place ?? this.place) !== this.place) continue;
			other.remove();
			other.host.hidden = true;
			this.place.append(other.host);
		}
	}

	// At the end the lab puts the saved form here: no notebook keeps a view. It goes on over that.
	goOn(tries = 9) {
		const form = this.area?.children[this.nth]?.querySelector(".jp-RenderedHTML");
		const bare = (node) => node?.textContent.replace(/\s/g, "");
		if (form?.hidden) return;
		if (bare(form)?.startsWith(bare(this.stateBox))) {
			const host = make("div", "jp-OutputArea-output");
			form.hidden = true;
			form.after(host);
			new View(this.run, host).over = form;
		} else if (tries) setTimeout(() => this.goOn(tries - 1), 20);
	}

	remove() {
		this.run.leave(this);
		this.sight.disconnect();
		clearInterval(this.ticking);
		clearTimeout(this.searching);
		clearTimeout(this.speaking);
		this.left.abort();
		this.root.remove();
	}

	hear(news) {
		const follow = this.atEnd && this.run.head.going && !this.editing();
		if (news.found && !this.state.filter) return;
		if (news.go) return this.arrive();
		if (news.body) return this.body(news.body);
		for (const row of news.changed ?? []) this.freshen(row);
		for (const fold of news.folds ?? []) this.spare(fold);
		if (news.added) this.announce(news);
		this.draw();
		if (news.all) this.arrive();
		if (news.added?.length && !news.all && !follow) this.unseen += news.added.length;
		if (follow && !news.all && (news.added?.length || news.changed?.length)) this.end.scrollIntoView({ block: "nearest" });
		return this.pills();
	}

	// Somebody types elsewhere on the page: nothing moves under them.
	editing() {
		const at = active();
		return at && !this.root.contains(at) && (at.isContentEditable || /^(INPUT|TEXTAREA)$/.test(at.tagName));
	}

	// What is behind an open row is asked for again when it changes.
	freshen(row) {
		if (this.isOpen(row.i) && !row.q) this.run.ask({ ask: "open", id: row.i });
	}

	// What somebody has opened, or stands on, is not folded away.
	spare(fold) {
		const { current, opened } = this.state, stood = current && this.holds() ? [current] : [];
		if ([...stood, ...opened].some((id) => within(fold, id))) this.state.unfolded.add(fold.first);
	}

	announce({ all, changed, head }) {
		const asks = changed.find((row) => row.q), wrong = all ? null : changed.filter(failed).at(-1);
		if (asks) this.say(`${asks.q.name} asks you. Nothing happens until you choose.`);
		else if (head.state && !all && !this.run.head.going) this.say(`run ${head.state[1]}`);
		else if (wrong) this.say(this.named(wrong));
	}

	// One message in two seconds; of several, the last.
	say(words) {
		this.words = words;
		this.speaking ??= setTimeout(() => {
			this.speaking = null;
			this.voice.textContent = this.words;
		}, this.voice.textContent ? QUIET_MS : 0);
	}

	draw() {
		this.run.last = this.state;
		const { head, ready, alive } = this.run;
		const [sign, word] = alive || (ready && !head.going) ? head.state ?? ["○", "not started"] : ["⊘", "kernel stopped"];
		this.stateBox.className = `state ${tone(sign)}`;
		this.stateBox.replaceChildren(glyph(sign), word);
		this.title.replaceChildren(...(head.names ?? []).map((name) => ink(make("bdi", "name"), name)));
		said(this.root, { label: ["run", ...(head.names ?? []), word].join(", ") });
		this.stopping.hidden = !head.going;
		this.stopping.disabled = !alive || this.stopped;
		this.fact();
		this.replied();
		// Of a long run the clock draws it, twice a second.
		if (!head.going || this.run.order.length < PAGE) this.strips();
		this.menus();
		this.rows();
		this.outline();
	}

	fact() {
		const { head, alive } = this.run;
		this.facts.replaceChildren(...(head.facts ?? []).map(factOf));
		this.clockBox = head.going && make("b", "", clock(this.run.now()));
		if (this.clockBox) this.facts.append(make("span", "", this.clockBox));
		if (!alive && !head.going) this.facts.append(make("span", "", GONE));
	}

	replied() {
		const { head, alive, bodies } = this.run, { answer, note, error } = head, whole = bodies.get("answer")?.parts[0];
		let prose = make("div", answer ? "prose" : "prose dim");
		if (answer && whole) prose = this.part("answer", whole, 0);
		else if (answer) {
			ink(prose, answer[0]);
			const show = button("Show all", "text", () => this.run.ask({ ask: "open", id: "answer" }));
			if (answer[1]) prose.append(make("span", "cut", answer[1], show));
		} else prose.append(head.going && !alive ? GONE : note ?? "Waiting for the kernel.");
		const parts = error?.length && !answer ? [] : [label("answer"), prose];
		if (error?.length) {
			const lines = error.map((line, index) => ink(make("div", index ? "" : "mono bad"), line));
			parts.push(label("error"), make("div", "prose", ...lines));
		}
		this.answer.hidden = this.state.timeline;
		this.answer.replaceChildren(...parts);
	}

	// When all began and ended, on the run's clock.
	times() {
		const { head } = this.run, now = this.run.now(), spent = [0, 0], bars = [];
		let last = 0;
		for (const id of this.run.order) {
			const row = this.run.rows.get(id);
			if (!row.b) continue;
			const [at, took] = row.b, length = took ?? Math.max(now - at, 0);
			spent[tool(row) ? 1 : 0] += length;
			last = Math.max(last, at + length);
			bars.push([row, at, length]);
		}
		if (!head.going || !this.span || last > this.span) this.span = head.going ? Math.max(last * 1.2, 1) : last || 1;
		return { bars, told: `model ${brief(spent[0])}, tools ${brief(spent[1])}` };
	}

	// The strip: model above, tools below; those that run together take lanes of their own.
	strips() {
		const { bars, told } = this.times(), ends = [];
		this.strip.hidden = bars.length < 3 || !this.timed() || this.state.timeline;
		if (this.strip.hidden) return;
		const drawn = new Map();
		for (const [row, at, length] of bars) {
			let lane = 0;
			while (tool(row) && lane < 3 && ends[lane] > at) lane += 1;
			if (tool(row)) ends[lane] = at + length;
			// Bars that fall on one another are one; no error is lost in it.
			const key = bars.length > STRIP_BARS ? `${tool(row)}${lane} ${Math.floor((at / this.span) * 600)}` : row.i;
			if (!drawn.has(key) || failed(row)) drawn.set(key, bar(row, at, length, tool(row) ? 10 + 9 * lane : 1));
		}
		this.strip.style.setProperty("--span", this.span);
		this.strip.style.height = `${19 + 9 * Math.max(ends.length - 1, 0)}px`;
		this.strip.replaceChildren(...drawn.values());
		said(this.strip, { label: told });
	}

	menus() {
		const { timeline, outline, more } = this.state;
		const wide = this.long();
		said(this.timing, { pressed: timeline });
		this.timing.hidden = !this.timed();
		said(this.moring, { expanded: more });
		this.menu.hidden = !more;
		this.clearing.hidden = !this.state.filter;
		const key = `${timeline}${outline}${wide}${this.timing.hidden}`;
		if (key === this.menuKey) return;
		this.menuKey = key;
		const pressed = (name, on) => said(button(name, "", () => this.toggle(name.toLowerCase())), { pressed: on });
		const buttons = [this.timed() ? pressed("Timeline", timeline) : null, wide ? pressed("Outline", outline) : null];
		this.menu.replaceChildren(make("div", "buttons", ...buttons, ...this.leaps()), make("div", "keys", ...KEYS.map(hint)));
	}

	long() {
		return this.run.order.length >= OUTLINED;
	}

	timed() {
		return this.run.order.some((id) => this.run.rows.get(id).b?.[0] > 0);
	}

	// The rows that are shown, and what of the page changes for it.
	rows() {
		const wanted = this.wanted();
		const all = this.shown(wanted);
		let [from, to] = [0, all.length];
		if (to > PAGED) [from, to] = this.state.page ?? (this.run.head.going ? [to - PAGE, to] : [0, PAGE]);
		[from, to] = [Math.max(from, 0), Math.min(to, all.length)];
		this.entries = all;
		this.window = [from, to];
		this.root.classList.toggle("time", this.state.timeline);
		this.axes();
		const drawn = all.slice(from, to);
		this.root.style.setProperty("--turn", `${Math.max(0, ...drawn.map(({ row }) => row.t?.length ?? 0))}ch`);
		this.reconcile(drawn, wanted);
		this.paging(from, to, all.length);
		this.count.hidden = !wanted;
		this.count.textContent = `${all.length} of ${this.run.order.length}`;
	}

	wanted() {
		return this.state.filter.trim().toLowerCase();
	}

	shown(wanted) {
		const { rows, order, folds } = this.run, { timeline, unfolded } = this.state, found = this.found(wanted);
		const entries = [];
		// What only stands behind a row opens it, as long as it is looked for.
		this.hidden = new Map();
		let until = -1, before = null;
		const push = (key, row, fold) => {
			const opens = row.w === "user" || (!timeline && row.n !== before?.n && before?.w !== "user");
			entries.push({ key, row, fold, line: opens });
			before = row;
		};
		for (const id of order) {
			const row = rows.get(id);
			if (wanted) {
				const seen = hits(row, wanted), around = found?.get(id);
				if (seen || around) push(id, row);
				if (!seen && around) this.hidden.set(id, around);
				continue;
			}
			if (timeline && (row.w === "system" || row.w === "earlier")) continue;
			const fold = timeline ? null : folds.get(id);
			if (fold && place(id) > until) {
				fold.rows.forEach((one, number) => push(`${id}:${number}`, one, fold));
				until = unfolded.has(id) ? -1 : place(fold.last);
				if (until < 0) before = null;
			}
			if (place(id) > until) push(id, row);
		}
		return entries;
	}

	found(wanted) {
		const found = this.run.found;
		return wanted && found?.text.trim().toLowerCase() === wanted ? found.ids : null;
	}

	reconcile(entries, wanted) {
		const mode = `${this.state.timeline}|${wanted}`;
		if (mode !== this.mode) this.items.clear();
		this.mode = mode;
		const kept = new Map(), focused = this.holds() ? active() : null;
		const keep = focused?.closest("li")?.dataset.key, inRow = focused?.classList.contains("row");
		const keys = new Set(entries.map(({ key }) => key));
		for (const [key, item] of this.items) if (!keys.has(key)) item.node.remove();
		let at = this.list.firstChild;
		for (const entry of entries) {
			let item = this.items.get(entry.key);
			const open = this.isOpen(entry.key, entry.fold, entry.row);
			if (!item || item.row !== entry.row || item.line !== entry.line || item.open !== open) {
				const made = this.item(entry, wanted, item, open);
				if (item && item.node === at) at = at.nextSibling;
				item?.node.remove();
				item = made;
			}
			kept.set(entry.key, item);
			if (item.node === at) at = at.nextSibling;
			else this.list.insertBefore(item.node, at);
		}
		while (at?.nextSibling) at.nextSibling.remove();
		at?.remove();
		this.items = kept;
		this.rove();
		if (inRow && keep && !this.holds()) focusOn(this.items.get(keep)?.head);
	}

	item(entry, wanted, old, open) {
		const { row, fold, key, line } = entry;
		const node = make("li", classes({ line, isbad: failed(row), isask: row.q, open }));
		node.dataset.key = key;
		const head = this.head(row, wanted, open, fold);
		on(head, "click", () => getSelection().isCollapsed && this.flip(key));
		on(head, "focus", () => this.select(key));
		node.append(head);
		const item = { node, head, row, line, fold, open, body: null };
		if (open && !fold) {
			const same = old?.body && old.row.q?.id === row.q?.id;
			item.body = same ? old.body : this.opened(key, row);
			node.append(item.body);
		}
		return item;
	}

	head(row, wanted, open, fold) {
		const { timeline } = this.state;
		const chevron = said(make("span", "chev", open ? "▾" : "▸"), { hidden: true });
		const what = row.x !== undefined && !timeline ? this.userText(row, wanted) : this.what(row, wanted);
		const parts = [chevron, make("span", "n", row.t), make("span", `who ${row.w}`, row.w), what];
		if (timeline) parts.push(this.lane(row));
		if (row.s) parts.push(make("span", `status ${tone(row.s[0])}`, glyph(row.s[0]), row.s[1]));
		else if (!timeline) what.classList.add("span");
		const live = row.l && row.b, took = live ? going(this.run.now() - row.b[0]) : row.d;
		const time = make("span", "num t", took);
		if (live) time.dataset.since = row.b[0];
		parts.push(time);
		if (!timeline) parts.push(make("span", "num k", row.k));
		if (row.p && !timeline) parts.push(ink(make("span", "err mono"), around(row.p, wanted), wanted));
		const node = make("div", "row", ...parts);
		node.tabIndex = -1;
		return said(node, { role: "button", expanded: open, label: this.named(row, fold) });
	}

	named(row, fold) {
		const turn = row.n ? `turn ${fold ? row.t || row.n : row.n}` : "";
		const what = row.a ?? `${row.w} ${row.x ?? row.g ?? ""}`;
		return [turn, what, row.s?.[1], row.p].filter(Boolean).join(", ").slice(0, 300);
	}

	what(row, wanted) {
		const node = make("span", "what"), gist = this.hidden.get(row.i) ?? row.g;
		if (row.a) {
			const mono = make("bdi", "mono", ink(make("b"), row.a, wanted));
			if (gist && !this.state.timeline) ink(mono, ` ${around(gist, wanted)}`, wanted);
			node.append(mono);
			return node;
		}
		const text = gist ?? row.x ?? "", dim = row.y || !["model", "user"].includes(row.w);
		node.append(ink(make("bdi", dim ? "dim" : ""), around(text, wanted), wanted));
		if (row.m) {
			node.classList.add("sized");
			node.append(make("span", "dim", row.m));
		}
		if (row.s?.[1] === "writing") node.append(make("span", "caret"));
		return node;
	}

	userText(row, wanted) {
		return make("span", "what u", ink(make("bdi"), row.x, wanted), row.c && make("span", "cut", row.c));
	}

	lane(row) {
		const lane = make("span", "lane");
		if (row.b) lane.append(bar(row, row.b[0], row.b[1] ?? Math.max(this.run.now() - row.b[0], 0), 8));
		return lane;
	}

	axes() {
		this.axis.hidden = !this.state.timeline;
		if (this.axis.hidden) return;
		const { told } = this.times(), marks = make("span", "axis");
		this.split.style.setProperty("--span", this.span);
		for (const part of [0, 0.25, 0.5, 0.75]) {
			const mark = make("span", "", brief(this.span * part));
			mark.style.left = `${part * 100}%`;
			marks.append(mark);
		}
		this.axis.replaceChildren(make("span", "what label", told), marks);
	}

	isOpen(key, fold, row) {
		if (fold) return this.state.unfolded.has(fold.first);
		if (this.hidden?.has(key)) return true;
		return this.state.opened.has(key) || Boolean((row ?? this.run.rows.get(key))?.q);
	}

	flip(key, want) {
		const { fold, row } = this.items.get(key) ?? {}, set = fold ? this.state.unfolded : this.state.opened;
		if (row?.q || this.hidden.has(key)) return;
		const name = fold?.first ?? key, open = want ?? !set.has(name);
		if (open === set.has(name)) return;
		set[open ? "add" : "delete"](name);
		if (open && this.run.bodies.has(key)) this.behind(key);
		this.rows();
	}

	// Draw every row anew.
	forget() {
		this.list.replaceChildren();
		this.items.clear();
	}

	behind(id) {
		const known = this.run.bodies.get(id);
		if (known && known.row === this.run.rows.get(id)) return;
		if (!this.run.alive) return;
		this.run.ask({ ask: "open", id });
		setTimeout(() => this.run.bodies.has(id) || this.body(id, true), SILENT_MS);
	}

	body(id, silent = false) {
		if (id === "answer") this.replied();
		const item = this.items.get(id);
		if (!item?.body || item.row.q) return;
		const held = item.body.contains(active()) ? active().dataset.act : null;
		const fresh = this.opened(id, item.row, silent);
		item.body.replaceWith(fresh);
		item.body = fresh;
		if (held) focusOn(fresh.querySelector(`[data-act="${held}"]`) ?? item.head);
	}

	opened(id, row, silent = false) {
		if (row.q) return this.gate(row.q);
		const body = make("div", "body"), known = this.run.bodies.get(id);
		const alone = (told) => body.append(label(), make("div", "val dim", told));
		if (!known) {
			alone(!this.run.alive ? "kernel stopped: see the static form"
				: silent ? "The kernel does not answer: it is busy, or it stopped." : "…");
			if (!this.run.bodies.has(id) && !silent) this.behind(id);
			return body;
		}
		known.parts.forEach((part, number) => body.append(label(part.label), this.part(id, part, number)));
		if (!known.parts.length) alone("Nothing more.");
		return body;
	}

	part(id, part, number) {
		if (!part.text) return make("div", "val", make("bdi", "", part.told ?? "empty"));
		const value = make("div", "val"), wanted = this.wanted();
		const source = make("div", "src", label([part.told, part.laid && "laid out"].filter(Boolean).join(", ")));
		if (part.warned) source.append(make("span", "badge", "looks like control text"));
		const act = (host, text, name, does) => {
			const node = button(text, "text", does);
			node.dataset.act = `${name}${number}`;
			host.append(node);
		};
		const more = (host, text, name, at, raw = Boolean(part.raw)) =>
			act(host, text, name, () => this.run.ask({ ask: "more", id, part: number, at, raw }));
		if (part.turned) more(source, part.turned[part.raw ? 1 : 0], "raw", 0, !part.raw);
		act(source, "Copy", "copy", (event) => this.copy(id, number, event.target));
		const text = part.prose ? make("div", "prose-in") : make("code");
		if (part.laid) laidOut(text, part.text, wanted);
		else coloured(text, part.text, part.colours ?? [], wanted);
		const box = part.prose ? text : make("pre", part.kind, text);
		value.append(source, box);
		if (part.next) {
			const cut = make("span", "cut", part.mark);
			more(cut, part.then, "more", part.next);
			(part.prose ? value : box).append(cut);
		}
		if (part.legend) value.append(coloured(make("div", "label"), ...part.legend, ""));
		return value;
	}

	copy(id, part, at) {
		this.run.copy(id, part, async (text) => {
			await navigator.clipboard.writeText(text);
			if (!at) return this.say("copied");
			at.textContent = "Copied";
			setTimeout(() => { at.textContent = "Copy"; }, 1500);
		});
	}

	gate(question) {
		const known = this.gates.get(question.id) ?? { mode: "", text: "" };
		this.gates.set(question.id, known);
		const body = make("div", "body gate");
		said(body, { role: "group", label: `${question.name} asks you` });
		const waited = make("span", "dim waited");
		waited.dataset.since = question.since;
		waited.textContent = waiting(this.run.now() - question.since);
		const code = make("code");
		laidOut(code, question.text, "");
		const given = make("pre", "", code, question.mark && make("span", "cut", question.mark));
		const parts = {
			waiting: make("div", "val", ink(make("b"), question.name), " wants to run. Nothing happens until you choose. ", waited),
			arguments: make("div", "val", given),
			"your choice": this.choices(question, known),
		};
		for (const [name, value] of Object.entries(parts)) body.append(label(name), value);
		return body;
	}

	choices(question, known) {
		const box = make("div", "val choices"), { mode } = known;
		const turn = (to, text) => {
			Object.assign(known, { mode: to, text });
			const next = this.choices(question, known);
			box.replaceWith(next);
			(next.querySelector("textarea") ?? next.querySelector(`[data-mode="${mode}"]`))?.focus();
		};
		const send = (ask, more) => {
			this.run.ask({ ask, question: question.id, ...more });
			for (const one of box.children) one.disabled = true;
		};
		const choose = (text, name, kind, does) => {
			const node = button(text, kind, does);
			node.dataset.mode = name;
			box.append(node);
			return node;
		};
		if (!mode) {
			choose("Approve", "approve", "main", () => send("approve"));
			for (const [name, [text, , first]] of Object.entries(CHOICES))
				if (name !== "edit" || question.edit) choose(text, name, "", () => turn(name, first ? question.text : ""));
			return box;
		}
		const [text, label] = CHOICES[mode], area = make("textarea", mode === "edit" ? "mono" : "");
		Object.assign(area, { value: known.text, maxLength: 1e5 });
		const problem = said(make("div", "problem bad"), { role: "status" });
		box.append(make("div", "label", label), said(area, { label }), problem);
		const done = choose(mode === "edit" ? "Approve as edited" : text, mode, "main", () => send(mode, { text: area.value }));
		choose("Back", "", "", () => turn("", ""));
		const check = () => {
			known.text = area.value;
			problem.textContent = mode === "edit" ? wrongWith(area.value) : "";
			done.disabled = Boolean(problem.textContent) || (mode === "reject" && !area.value.trim());
		};
		on(area, "input", check);
		check();
		return box;
	}

	stop() {
		this.stopped = true;
		this.stopping.disabled = true;
		this.run.ask({ ask: "stop" });
		this.say("stopping");
	}

	look(text) {
		this.state.filter = text;
		this.state.page = null;
		clearTimeout(this.searching);
		if (text.trim().length > 1) this.searching = setTimeout(() => this.run.ask({ ask: "find", text: text.slice(0, 200) }), 250);
		this.draw();
	}

	clear() {
		this.filter.value = "";
		this.look("");
		this.filter.focus();
	}

	toggle(name) {
		this.state[name] = !this.state[name];
		if (name === "timeline") this.state.page = null;
		this.draw();
	}

	paging(from, to, all) {
		const long = all > PAGED;
		this.pages.hidden = !long;
		if (!long) return;
		const show = (begin, end) => {
			this.state.page = [Math.max(begin, 0), Math.min(end, all)];
			this.draw();
		};
		const told = label(`rows ${from + 1} to ${to} of ${all}`);
		const before = from > 0 ? [button("Previous 200", "", () => show(from - PAGE, to))] : [];
		const after = to < all ? [button("Next 200", "", () => show(from, to + PAGE))] : [];
		this.pages.replaceChildren(told, ...before, ...after, ...this.leaps());
	}

	leaps() {
		return [button("First error", "", () => this.firstError()), button("End", "", () => this.toEnd())];
	}

	firstError() {
		this.reach(this.entries.find(({ row }) => failed(row))?.key, true);
	}

	toEnd() {
		const all = this.entries.length;
		// Of a run that goes on, the end moves.
		this.state.page = this.run.head.going ? null : [all - PAGE, all];
		this.draw();
		this.unseen = 0;
		this.end.scrollIntoView({ block: "end" });
		this.pills();
	}

	// Go to a row by its name, wherever it hides.
	arrive() {
		if (!this.run.go || !this.run.rows.has(this.run.go)) return;
		const id = this.run.go;
		this.run.go = null;
		this.state.opened.add(id);
		this.goTo(id);
	}

	goTo(id) {
		this.filter.value = this.state.filter = "";
		for (const fold of this.run.folds.values()) if (within(fold, id)) this.state.unfolded.add(fold.first);
		this.forget();
		this.draw();
		this.reach(id, false);
	}

	reach(key, focus) {
		const at = this.at(key);
		if (at < 0) return;
		const [from, to] = this.window;
		if (at < from || at >= to) {
			this.state.page = [Math.max(at - 20, 0), Math.max(at - 20, 0) + PAGE];
			this.rows();
		}
		this.select(key);
		const head = this.items.get(key)?.head;
		head?.scrollIntoView({ block: "nearest" });
		if (focus) focusOn(head);
	}

	// The one row that Tab reaches.
	select(key) {
		this.state.current = key;
		this.rove();
	}

	rove() {
		const current = this.items.has(this.state.current) ? this.state.current : this.items.keys().next().value;
		for (const [key, item] of this.items) item.head.tabIndex = key === current ? 0 : -1;
	}

	at(key = this.state.current) {
		return this.entries.findIndex((one) => one.key === key);
	}

	// Whether the focus is in the rows.
	holds() {
		return this.list.contains(active());
	}

	step(by) {
		const at = this.at(), to = Math.max(at + (this.holds() && at >= 0 ? by : 0), 0);
		this.reach(this.entries[Math.min(to, this.entries.length - 1)]?.key, true);
	}

	error(by) {
		const { entries } = this;
		for (let at = this.holds() ? this.at() + by : by > 0 ? 0 : entries.length - 1; entries[at]; at += by)
			if (failed(entries[at].row)) return this.reach(entries[at].key, true);
		return this.say("no more errors");
	}

	key(event, target) {
		if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
		const { key } = event, typing = /^(INPUT|TEXTAREA)$/.test(target.tagName);
		if (typing && key !== "Escape") {
			event.stopPropagation();
			return;
		}
		const { current } = this.state, down = () => this.step(1), up = () => this.step(-1);
		const acts = {
			j: down, ArrowDown: down, k: up, ArrowUp: up,
			Home: () => this.reach(this.entries[0]?.key, true), End: () => this.reach(this.entries.at(-1)?.key, true),
			e: () => this.error(1), E: () => this.error(-1), t: () => this.timed() && this.toggle("timeline"),
			o: () => this.long() && this.toggle("outline"), "?": () => this.toggle("more"),
			"/": () => this.filter.focus(), Escape: () => (this.state.filter ? this.clear() : target.blur()),
			c: () => current && this.copy(current.split(":")[0], -1),
		};
		if (target.classList.contains("row")) Object.assign(acts, {
			ArrowRight: () => this.flip(current, true), ArrowLeft: () => this.flip(current, false),
			Enter: () => this.flip(current), " ": () => this.flip(current),
		});
		if (!Object.hasOwn(acts, key)) return;
		acts[key]();
		event.preventDefault();
		event.stopPropagation();
	}

	// Where what can be seen of the page ends, below the view.
	bottom() {
		let node = this.root.parentElement;
		const scrolls = () => node.scrollHeight > node.clientHeight + 1 && getComputedStyle(node).overflowY !== "visible";
		while (node && !scrolls()) node = node.parentElement;
		return node?.getBoundingClientRect().bottom ?? innerHeight;
	}

	pills() {
		const fresh = this.run.head.going && !this.atEnd ? this.unseen : 0;
		this.pill.hidden = !fresh;
		this.pill.textContent = `↓ ${fresh} new ${fresh === 1 ? "row" : "rows"}`;
		// It floats at the end of what is in sight: in the lab nothing sticks.
		const beyond = this.root.getBoundingClientRect().bottom - Math.min(this.bottom(), innerHeight);
		this.pill.style.bottom = `${Math.max(beyond, 0) + 4}px`;
	}

	outline() {
		const shown = this.state.outline && this.long();
		this.nav.hidden = !shown;
		this.split.className = shown ? "split" : "";
		if (!shown) return;
		const groups = [], begin = (id, kind, text) => groups.push({ id, kind, text, times: 1, wrong: 0 });
		for (const id of this.run.order) {
			const row = this.run.rows.get(id), last = groups.at(-1);
			const like = last?.kind === "sub" && groups.slice(-2).find(({ kind, text }) => kind === "sub" && text === row.a);
			if (row.w === "user") begin(id, "user", row.x ?? row.g ?? "");
			else if (like) like.times += 1;
			else if (tool(row)) begin(id, "sub", row.a);
			if (failed(row)) (like || groups.at(-1)).wrong += 1;
		}
		this.places = groups.map(({ id, text, kind, times, wrong }) => {
			const told = make("span", "", make("bdi", "", text.split("\n")[0]), times > 1 ? ` ×${times}` : "");
			const node = button(told, kind, () => this.goTo(id));
			node.className = kind;
			node.dataset.row = id;
			if (wrong) node.append(make("span", "bad", `✗ ${wrong}`));
			return node;
		});
		this.nav.replaceChildren(...this.places);
		this.whereabouts();
	}

	whereabouts() {
		const seen = [...this.items].find(([, item]) => item.node.getBoundingClientRect().bottom > 60);
		const at = seen ? place(seen[0].split(":")[0]) : -1;
		const here = this.places?.filter((node) => place(node.dataset.row) <= at).at(-1) ?? this.places?.[0];
		for (const node of this.places ?? []) node.classList.toggle("on", node === here);
	}

	tick() {
		if (this.over && !this.over.isConnected && this.area?.isConnected) return this.remove();
		if (!this.run.head.going || !this.run.alive) return;
		const now = this.run.now();
		if (this.clockBox) this.clockBox.textContent = clock(now);
		const each = (chosen, told) => {
			for (const node of this.list.querySelectorAll(chosen)) node.textContent = told(now - Number(node.dataset.since));
		};
		each(".num.t[data-since]", going);
		each(".waited", waiting);
		if (!this.state.timeline) this.strips();
	}
}

const focusOn = (node) => node?.focus({ preventScroll: true });
const active = () => document.activeElement;
const tone = (sign) => (sign === "✗" ? "bad" : "●…?".includes(sign) ? "now" : "");
const tool = (row) => row.w === "tool";
const failed = (row) => row.s?.[0] === "✗";
const within = (fold, id) => place(fold.first) <= place(id) && place(id) <= place(fold.last);
const classes = (given) => Object.keys(given).filter((name) => given[name]).join(" ");

function bar(row, at, length, top) {
	const node = make("i", classes({ t: tool(row), x: failed(row), live: row.l }));
	node.style.setProperty("--at", at);
	node.style.setProperty("--for", length);
	node.style.top = `${top}px`;
	node.dataset.row = row.i;
	return node;
}

function hits(row, wanted) {
	return [row.a, row.g, row.x, row.p, row.s?.[1], row.w].some((text) => text?.toLowerCase().includes(wanted));
}

function factOf([sign, bold, rest]) {
	return make("span", sign ? "bad" : "", sign.trim() && glyph(sign), make("b", "", bold), ink(make("bdi"), rest));
}

// JSON, its keys a little quieter.
function laidOut(node, text, wanted) {
	for (const [index, line] of text.split("\n").entries()) {
		if (index) node.append("\n");
		const key = wanted ? null : /^(\s*)("(?:[^"\\]|\\.)*":)/.exec(line.slice(0, 400));
		if (key) node.append(key[1], ink(make("span", "k"), key[2]));
		ink(node, key ? line.slice(key[0].length) : line, wanted);
	}
}

function wrongWith(text) {
	try {
		const value = JSON.parse(text);
		return value && typeof value === "object" && !Array.isArray(value) ? "" : "✗ not one JSON object: { … }";
	} catch (error) {
		return `✗ not JSON: ${error.message}`.slice(0, 200);
	}
}

export default () => {
	let store = null;
	return {
		initialize({ model }) {
			store = new Store(model);
		},
		render({ model, el }) {
			store ??= new Store(model);
			const view = new View(store, el);
			return () => {
				view.remove();
				if (!store.head.going) view.goOn();
			};
		},
	};
};
