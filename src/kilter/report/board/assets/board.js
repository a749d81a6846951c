"use strict";
// The board: a list that follows the folder, curves of the chosen runs over each other, and a page for each run.
(() => {
  const at = (id) => document.getElementById(id);
  const chosen = new Set();
  let offset = 0, total = 0, page = 50, touched = false, zoom = null;
  const opened = () => (location.hash.startsWith("#run=") ? decodeURIComponent(location.hash.slice(5)) : null);

  const get = async (path, pairs) => {
    const answer = await fetch(`${path}?${new URLSearchParams(pairs)}`);
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const made = (kind, text, name) => Object.assign(document.createElement(kind), { textContent: text ?? "", className: name ?? "" });
  const row = (cells, kind = "td") => {
    const line = document.createElement("tr");
    for (const each of cells) {
      const cell = each instanceof Node ? made(kind) : Object.assign(made(kind, each), { title: each });
      if (each instanceof Node) cell.append(each);
      if (String(each).length > 32 && !(each instanceof Node)) {
        cell.className = "long";
        cell.replaceChildren(made("span", each, "clamped"));
      }
      if (kind === "th") cell.scope = "col";
      line.append(cell);
    }
    return line;
  };

  // What is asked for while it is being done is done once more, after it: never two at a time.
  const gently = (act) => {
    let busy = false, again = false;
    return async () => {
      if (busy) { again = true; return; }
      busy = true;
      try {
        do { again = false; await act(); } while (again);
      } catch (error) {
        told(error.message === "Failed to fetch" ? "the board is not reached" : error.message, false);
      } finally { busy = false; }
    };
  };
  const told = (words, on) => { at("live").textContent = words; at("live").className = on ? "on" : "quiet"; };

  const ago = (seconds) => {
    const past = Math.max(0, Date.now() / 1000 - seconds);
    const [many, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].map(([size, name]) => [past / size, name]).find(([count]) => count >= 1) ?? [past, "s"];
    return `${Math.floor(many)} ${unit} ago`;
  };
  const progress = (run) => {
    const unit = { training: "epochs", search: "trials", cure: "changes" }[run.kind] ?? "";
    return run.planned ? `${run.done} of ${run.planned} ${unit}` : run.done ? `${run.done} ${unit}` : "";
  };
  const score = (run) => (run.score === null ? "" : `${run.metric} ${board.short(run.score)}`);
  const kind = (run) => (run.kind === "training" && run.members > 1 ? `training of ${run.members}` : run.kind);

  const shown = (run) => {
    const box = made("input");
    box.type = "checkbox";
    box.checked = chosen.has(run.id);
    box.setAttribute("aria-label", `show ${run.id}`);
    box.addEventListener("change", () => {
      touched = true;
      box.checked ? chosen.add(run.id) : chosen.delete(run.id);
      zoom = null;
      curves();
    });
    const link = made("a", run.id);
    link.href = `#run=${encodeURIComponent(run.id)}`;
    link.title = run.id;
    const report = made("a", run.report ? "report" : "");
    if (run.report) {
      report.href = `/report?${new URLSearchParams({ id: run.id })}`;
      report.setAttribute("aria-label", `report of ${run.id}`);
    }
    const state = made("span", run.state, `state ${run.state}`);
    return row([box, link, state, score(run), progress(run), kind(run), run.title, run.changed ? ago(run.changed) : "", run.report ? report : ""]);
  };

  const list = gently(async () => {
    if (opened() !== null) return;
    const asked = { q: at("wanted").value, state: at("state").value, sort: at("sort").value };
    const found = await get("/api/runs", { ...asked, offset });
    ({ total, page } = found);
    at("folder").textContent = found.folder;
    at("count").textContent = total ? `${total} ${total === 1 ? "run" : "runs"}` : asked.q || asked.state ? "No run matches."
      : 'There are no runs here yet: kl.train, kl.search and kl.cure note what they do where they are told to, such as log="runs/first".';
    at("pages").hidden = total <= page && offset === 0;
    at("where").textContent = `${Math.min(offset + 1, total)} to ${Math.min(offset + page, total)} of ${total}`;
    at("newer").disabled = offset === 0;
    at("older").disabled = offset + page >= total;
    const first = found.runs.find((run) => run.kind === "training" && run.done) ?? found.runs.find((run) => run.kind === "search" && run.done);
    if (!touched && !chosen.size && first) { chosen.add(first.id); curves(); }
    const focused = document.activeElement.getAttribute("aria-label") ?? document.activeElement.href;
    at("runs").tBodies[0].replaceChildren(...found.runs.map(shown));
    const again = focused && [...at("runs").querySelectorAll("input, a")].find((each) => (each.getAttribute("aria-label") ?? each.href) === focused);
    if (again) again.focus();
  });

  const closer = (chart) => {
    const { startValue, endValue, start, end } = chart.getOption().dataZoom[0];
    zoom = end - start > 99.9 ? null : { from: Math.max(0, Math.floor(startValue)), to: Math.ceil(endValue) };
    clearTimeout(closer.timer);
    closer.timer = setTimeout(curves, 200);
  };

  const curves = gently(async () => {
    if (opened() !== null) return;
    const ids = [...chosen].slice(0, 12);
    const pairs = [["line", at("line").value], ...ids.map((id) => ["id", id])];
    if (zoom) pairs.push(["from", zoom.from], ["to", zoom.to]);
    const found = await get("/api/lines", pairs);
    at("line").replaceChildren(...found.names.map((name) => new Option(name, name, false, name === found.line)));
    const logs = at("log").checked, many = found.lines.length;
    at("told").textContent = many
      ? `${found.line} of ${many}${found.total > many ? ` of ${found.total}` : ""} ${many === 1 ? "line" : "lines"}. Drag the ends of the bar to look closer.`
      : ids.length ? "The chosen runs have no curves yet." : "Choose runs above to see their curves.";
    at("chart").setAttribute("aria-label", at("told").textContent);
    const side = { type: "value", nameLocation: "middle", axisLabel: { hideOverlap: true } };
    const window = zoom ? { startValue: zoom.from, endValue: zoom.to } : { start: 0, end: 100 };
    const ends = { xAxisIndex: 0, filterMode: "none", ...window };
    const chart = board.draw(at("chart"), {
      color: found.colors, legend: { type: "scroll", top: 4, left: 0, right: 0, icon: "roundRect" }, tooltip: { trigger: "axis", order: "valueAsc" },
      grid: { left: 6, right: 24, top: 40, bottom: 46, outerBoundsMode: "same", outerBoundsContain: "all" },
      xAxis: { ...side, name: found.line === "best so far" ? "trial" : "epoch", nameGap: 26, min: "dataMin", max: "dataMax", minInterval: 1 },
      yAxis: { ...side, type: logs ? "log" : "value", name: found.line, nameGap: 46, scale: true },
      dataZoom: [{ type: "slider", height: 22, bottom: 8, showDetail: false, brushSelect: false, ...ends }, { type: "inside", zoomOnMouseWheel: "shift", moveOnMouseMove: "shift", ...ends }],
      series: found.lines.map((each, place) => ({
        type: "line", name: each.name, showSymbol: each.points.length < 3, symbolSize: 5, step: found.line === "best so far" ? "end" : false,
        lineStyle: { width: 1.8, type: ["solid", "dashed", "dotted"][Math.floor(place / found.colors.length) % 3] },
        data: each.points.map(([x, y]) => [x, logs && !(y > 0) ? null : y]),
      })),
    });
    if (!chart.kilter) { chart.kilter = true; chart.on("datazoom", () => closer(chart)); }
  });

  const figures = (parts) => {
    const there = [...at("charts").children];
    there.slice(parts.length).forEach((figure) => { board.forget(figure.firstChild); figure.remove(); });
    parts.forEach((part, place) => {
      let figure = at("charts").children[place];
      const alike = `${part.option.series.map((each) => each.type)} ${part.height}`;
      if (figure && figure.kilter !== alike) { board.forget(figure.firstChild); figure.firstChild.replaceWith(made("div", "", "canvas")); }
      if (!figure) {
        figure = made("figure", "", "chart");
        figure.append(made("div", "", "canvas"), made("figcaption"));
        at("charts").append(figure);
      }
      figure.kilter = alike;
      const canvas = figure.firstChild;
      canvas.style.height = `${part.height}px`;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", part.told);
      figure.lastChild.textContent = part.told;
      board.draw(canvas, part.option);
    });
  };

  const detail = gently(async () => {
    const id = opened();
    if (id === null) return;
    const run = await get("/api/run", { id });
    if (opened() !== id) return;
    at("name").textContent = id;
    document.title = `Kilter: ${id}`;
    const lead = at("lead");
    if (!run) { lead.textContent = "There is no such run here, or it was removed."; return figures([]); }
    lead.replaceChildren(made("span", run.state, `state ${run.state}`), [kind(run), progress(run), score(run)].filter(Boolean).map((each) => `, ${each}`).join(""));
    if (run.state === "dead") lead.append(": its process is gone without having said how it ended");
    if (run.state === "corrupt") lead.append(": this file is no journal that can be read");
    if (run.report) lead.append(". ", Object.assign(made("a", "Open the report"), { href: `/report?${new URLSearchParams({ id })}` }));
    at("facts").replaceChildren(...(run.facts ?? []).flatMap(([name, words]) => [made("dt", name), made("dd", words)]));
    at("words").replaceChildren(...(run.told ?? []).slice().reverse().slice(0, 12).map((words) => made("p", words)));
    figures(run.charts ?? []);
    const { head, rows, total: count } = run.table ?? { head: [], rows: [], total: 0 };
    at("table").hidden = rows.length === 0;
    at("table").caption.textContent = count > rows.length ? `The first ${rows.length} of ${count}` : "";
    at("table").tHead.replaceChildren(row(head, "th"));
    at("table").tBodies[0].replaceChildren(...rows.map((cells) => row(cells)));
    at("recipe").hidden = !run.recipe;
    at("recipe").querySelector("pre").textContent = run.recipe ?? "";
  });

  const turn = () => {
    const id = opened();
    at("home").hidden = id !== null;
    at("detail").hidden = id === null;
    if (id === null) {
      document.title = "Kilter: board";
      list();
      curves();
    } else {
      figures([]);
      detail();
      scrollTo(0, 0);
    }
    board.resize();
  };

  for (const id of ["wanted", "state", "sort"]) at(id).addEventListener("input", () => { offset = 0; list(); });
  at("newer").addEventListener("click", () => { offset = Math.max(0, offset - page); list(); });
  at("older").addEventListener("click", () => { if (offset + page < total) offset += page; list(); });
  at("line").addEventListener("change", () => { zoom = null; curves(); });
  at("log").addEventListener("change", curves);
  at("clear").addEventListener("click", () => { touched = true; chosen.clear(); zoom = null; list(); curves(); });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", turn);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { board.clear(); curves(); detail(); });

  const events = new EventSource("/events");
  events.onopen = () => { told("live", true); list(); curves(); detail(); };
  events.onerror = () => told("the board is not reached", false);
  events.onmessage = (event) => {
    const { changed } = JSON.parse(event.data);
    list();
    if (changed.some((id) => chosen.has(id))) curves();
    if (changed.includes(opened())) detail();
  };
  turn();
})();
