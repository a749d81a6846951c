"use strict";
// Draws the charts of a report from the values that stand beside them.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const line = () => getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
  const short = (value) =>
    typeof value !== "number" ? "not finite" : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(2) : String(Number(value.toPrecision(4)));

  const themed = () => {
    const axis = {
      axisLine: { lineStyle: { color: line() } }, axisLabel: { color: ink() }, nameTextStyle: { color: ink() },
      splitLine: { lineStyle: { color: line(), opacity: 0.6 } },
    };
    return {
      backgroundColor: "transparent", textStyle: { color: ink(), fontFamily: "system-ui, sans-serif" },
      legend: { textStyle: { color: ink() } }, valueAxis: axis, logAxis: axis, categoryAxis: axis,
      parallel: { parallelAxisDefault: axis }, visualMap: { textStyle: { color: ink() } },
    };
  };

  const interval = (ends) => ({
    type: "custom", name: "95 % interval", data: ends.map((each, place) => [place, ...each]), encode: { x: [1, 2], y: 0 },
    tooltip: { valueFormatter: short }, itemStyle: { color: ink() }, z: 3,
    renderItem: (_, api) => {
      const [low, high] = [1, 2].map((side) => api.coord([api.value(side), api.value(0)]));
      if (!low || !high) return null;
      const style = { stroke: ink(), lineWidth: 1.5 };
      const stroke = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
      return { type: "group", children: [
        stroke(low[0], low[1], high[0], high[1]), stroke(low[0], low[1] - 4, low[0], low[1] + 4),
        stroke(high[0], high[1] - 4, high[0], high[1] + 4)] };
    },
  });

  const plain = (option) => ({
    ...option,
    tooltip: option.tooltip && { confine: true, valueFormatter: short, ...option.tooltip },
    series: option.series.map((each) => (each.kilter === "interval" ? interval(each.data) : each)),
  });

  // The signal through the net: layers across, records down, one vital at a time; the histogram of a cell on hover.
  const bars = (shares, edges) => {
    if (!shares) return "";
    const most = Math.max(...shares), width = 220 / shares.length;
    const rects = shares.map((share, place) =>
      `<rect x="${place * width}" y="${50 - 50 * (share / most || 0)}" width="${width}" height="${50 * (share / most || 0)}"/>`);
    return `<br><svg width="220" height="50" fill="#0072b2">${rects.join("")}</svg><br>${short(edges[0])} to ${short(edges[1])}`;
  };

  const signal = (given, name) => {
    const vital = given.vitals[name];
    const cells = [], levels = [];
    vital.values.forEach((row, record) => row.forEach((value, place) => {
      const level = value === null ? null : vital.log ? (value > 0 ? Math.log10(value) : null) : value;
      if (level !== null) levels.push(level);
      cells.push({ value: [place, record, level], record, place, seen: value });
    }));
    const [low, high] = [Math.min(...levels, 0), Math.max(...levels)];
    const least = vital.log ? Math.min(...levels) : vital.least ?? low;
    const side = { type: "category", nameLocation: "middle", splitArea: { show: true } };
    return {
      animation: false, grid: { left: 6, right: 96, top: 12, bottom: 6, outerBoundsMode: "same", outerBoundsContain: "all" },
      xAxis: { ...side, data: vital.places, axisLabel: { rotate: 40, hideOverlap: true } },
      yAxis: { ...side, data: given.epochs.map(String), name: "epoch", nameGap: 34, inverse: true },
      visualMap: {
        min: least, max: Math.max(vital.most ?? high, least + 1e-9), right: 0, top: "middle", precision: 3, calculable: true,
        text: [vital.log ? "log 10" : "", ""], inRange: { color: ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"] },
      },
      tooltip: {
        confine: true,
        formatter: ({ data }) => {
          const shares = vital.layers && given.histograms && given.histograms[data.record][data.place];
          const where = echarts.format.encodeHTML(vital.places[data.place]);
          return `${where}, epoch ${given.epochs[data.record]}<br>${name}: <b>${short(data.seen)}</b>`
            + bars(shares && shares.shares, shares && shares.ends);
        },
      },
      series: [{ type: "heatmap", data: cells, progressive: 0 }],
    };
  };

  const chooser = (figure, names, change) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    names.forEach((name) => select.add(new Option(name, name)));
    select.addEventListener("change", () => change(select.value));
    label.append("Show", select);
    figure.prepend(label);
  };

  const own = { signal: (figure, given, draw) => {
    const names = Object.keys(given.vitals);
    chooser(figure, names, (name) => draw(signal(given, name)));
    return signal(given, names[0]);
  } };

  const charts = [];
  for (const figure of document.querySelectorAll("figure.chart")) {
    const given = JSON.parse(figure.querySelector("script").textContent);
    const canvas = figure.querySelector(".canvas");
    const entry = { canvas, chart: null, option: null };
    const draw = (option) => {
      entry.option = option;
      if (entry.chart) entry.chart.dispose();
      entry.chart = echarts.init(canvas, themed(), { renderer: "svg" });
      entry.chart.setOption(option);
    };
    draw(figure.dataset.draw === "echarts" ? plain(given) : own[figure.dataset.draw](figure, given, draw));
    entry.draw = draw;
    charts.push(entry);
  }
  const resized = () => charts.forEach((each) => each.chart.resize());
  addEventListener("resize", resized);
  addEventListener("beforeprint", resized);
  dark.addEventListener("change", () => charts.forEach((each) => each.draw(each.option)));

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
        button.textContent = "Selected";
      }
    });
  }
})();
