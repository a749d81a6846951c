"use strict";
// The board: a list that follows the folder, curves of the chosen runs over each other, and one run in detail.
(() => {
  const at = (id) => document.getElementById(id);
  const chosen = new Set();
  let offset = 0, total = 0, page = 50, detail = null, chart = null, touched = false;

  const get = async (path, pairs) => {
    const answer = await fetch(`${path}?${new URLSearchParams(pairs)}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const short = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : "");
  const cell = (row, text, name) => {
    const made = row.insertCell();
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const shown = (run) => {
    const row = document.createElement("tr");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = chosen.has(run.id);
    box.setAttribute("aria-label", `show ${run.id}`);
    box.addEventListener("change", () => {
      touched = true;
      box.checked ? chosen.add(run.id) : chosen.delete(run.id);
      curves();
    });
    cell(row, "").append(box);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = run.id;
    button.addEventListener("click", () => open(run.id));
    cell(row, "").append(button);
    cell(row, run.members > 1 ? `${run.kind} of ${run.members}` : run.kind);
    cell(row, run.state, run.state);
    cell(row, run.title);
    cell(row, run.epochs ? `${run.epoch} of ${run.epochs}` : "");
    cell(row, run.score === null ? "" : `${run.metric} ${short(run.score)}`);
    const last = cell(row, "");
    if (run.report) {
      const link = document.createElement("a");
      link.href = `/report?${new URLSearchParams({ id: run.id })}`;
      link.textContent = "report";
      link.setAttribute("aria-label", `report of ${run.id}`);
      last.append(link);
    }
    return row;
  };

  const list = async () => {
    const found = await get("/api/runs", { q: at("wanted").value, sort: at("sort").value, offset });
    ({ total, page } = found);
    at("folder").textContent = found.folder;
    at("count").textContent = total ? `${total} runs` : at("wanted").value ? "No run matches." : "There are no runs here yet.";
    at("where").textContent = total ? `${offset + 1} to ${Math.min(offset + page, total)}` : "";
    at("newer").disabled = offset === 0;
    at("older").disabled = offset + page >= total;
    const first = found.runs.find((run) => run.epoch || run.score !== null);
    if (!touched && !chosen.size && first) chosen.add(first.id);
    const focused = document.activeElement && document.activeElement.getAttribute("aria-label");
    at("runs").tBodies[0].replaceChildren(...found.runs.map(shown));
    if (focused) {
      const again = [...at("runs").querySelectorAll("input")].find((each) => each.getAttribute("aria-label") === focused);
      if (again) again.focus();
    }
  };

  const drawn = (option) => {
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
    const axis = { axisLabel: { color: ink }, nameTextStyle: { color: ink }, splitLine: { lineStyle: { color: line } } };
    if (!chart) chart = echarts.init(at("chart"), null, { renderer: "canvas" });
    chart.setOption({
      animation: false, textStyle: { color: ink }, legend: { type: "scroll", textStyle: { color: ink } },
      grid: { left: 6, right: 24, top: 40, bottom: 6, outerBoundsMode: "same", outerBoundsContain: "all" },
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, valueFormatter: short }, dataZoom: [{ type: "inside" }],
      ...option,
      xAxis: { type: "value", nameLocation: "middle", nameGap: 26, min: "dataMin", max: "dataMax", ...axis, ...option.xAxis },
      yAxis: { type: at("log").checked ? "log" : "value", scale: true, nameLocation: "middle", nameGap: 46, ...axis, ...option.yAxis },
    }, true);
  };

  const choices = (names) => {
    const now = at("line").value;
    const wanted = names.length ? names : ["loss"];
    at("line").replaceChildren(...wanted.map((name) => new Option(name, name)));
    const known = ["val_loss", "loss", wanted[0]].find((name) => wanted.includes(name));
    at("line").value = wanted.includes(now) ? now : known;
  };

  const curves = async () => {
    const ids = [...chosen].slice(0, 12);
    if (!ids.length) {
      at("told").textContent = "Choose runs above to see their curves.";
      return drawn({ series: [] });
    }
    const runs = await Promise.all(ids.map((id) => get("/api/run", { id }).catch(() => null)));
    const there = runs.filter(Boolean);
    choices([...new Set(there.flatMap((run) => run.lines))]);
    const searched = there.filter((run) => run.results && run.results.length);
    const name = at("line").value;
    const found = await get("/api/lines", [["line", name], ...ids.map((id) => ["id", id])]);
    const logs = at("log").checked;
    const point = ([x, y]) => [x, logs && !(y > 0) ? null : y];
    const series = found.lines.map((each) => ({
      type: "line", name: each.member ? `${each.id}, member ${each.member}` : each.id, showSymbol: each.points.length < 3,
      data: each.points.map(point),
    }));
    const trials = searched.map((run) => ({ type: "scatter", name: `${run.id}: trials`, symbolSize: 6, data: run.results.map(point) }));
    const all = [...series, ...trials];
    at("told").textContent = all.length
      ? `${series.length ? `${name} by epoch of ${series.length} networks. ` : ""}${trials.length ? "Score of each trial." : ""}`
      : "The chosen runs have no curves yet.";
    at("chart").setAttribute("aria-label", at("told").textContent);
    drawn({
      color: found.colors, series: all, xAxis: { name: series.length ? "epoch" : "trial" },
      yAxis: { name: series.length ? name : "score" },
    });
  };

  const open = async (id) => {
    detail = id;
    const run = await get("/api/run", { id });
    at("detail").hidden = false;
    at("name").textContent = `${run.id}: ${run.kind}, ${run.state}`;
    at("words").replaceChildren(...run.told.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    at("members").replaceChildren(...run.table.map((each) => {
      const row = document.createElement("tr");
      [each.name, each.settings, short(each.score), each.outcome].forEach((text) => cell(row, text));
      return row;
    }));
    at("recipe").textContent = run.recipe;
  };

  const all = async () => { await list(); await curves(); if (detail) await open(detail); };
  const safely = (act) => act().catch((error) => { at("live").textContent = String(error.message); });

  at("wanted").addEventListener("input", () => { offset = 0; safely(list); });
  at("sort").addEventListener("change", () => { offset = 0; safely(list); });
  at("newer").addEventListener("click", () => { offset = Math.max(0, offset - page); safely(list); });
  at("older").addEventListener("click", () => { if (offset + page < total) offset += page; safely(list); });
  at("line").addEventListener("change", () => safely(curves));
  at("log").addEventListener("change", () => safely(curves));
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("resize", () => chart && chart.resize());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => safely(curves));

  const events = new EventSource("/events");
  events.onopen = () => { at("live").textContent = "live"; safely(all); };
  events.onerror = () => { at("live").textContent = "the board is not reached"; };
  events.onmessage = (event) => {
    const { changed } = JSON.parse(event.data);
    safely(list);
    if (changed.some((id) => chosen.has(id)) || (!touched && !chosen.size)) safely(curves);
    if (detail && changed.includes(detail)) safely(() => open(detail));
  };
  safely(all);
})();
