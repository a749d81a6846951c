"use strict";
// Draws the charts of a report from the values that stand beside them.
(() => {
  // Charts take the color of the page's text, so that light, dark and print need no second drawing.
  const ink = "currentColor", line = "rgba(128, 136, 146, 0.35)";
  const short = (value) =>
    typeof value !== "number" ? "not finite" : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(2) : String(Number(value.toPrecision(4)));

  const axis = {
    axisLine: { lineStyle: { color: line } }, axisTick: { lineStyle: { color: line } }, axisLabel: { color: ink },
    nameTextStyle: { color: ink }, splitLine: { lineStyle: { color: line, width: 0.6 } },
  };
  const theme = {
    backgroundColor: "transparent", textStyle: { color: ink, fontFamily: "system-ui, sans-serif" },
    legend: {
      textStyle: { color: ink }, icon: "roundRect", itemWidth: 14, itemHeight: 6, pageTextStyle: { color: ink },
      pageIconColor: ink, pageIconInactiveColor: line, inactiveColor: "#8a929b",
    },
    valueAxis: axis, logAxis: axis, categoryAxis: axis, parallel: { parallelAxisDefault: axis },
    visualMap: { textStyle: { color: ink } },
  };

  const interval = (ends) => ({
    type: "custom", name: "95 % interval", data: ends.map((each, place) => [place, ...each]), encode: { x: [1, 2], y: 0 },
    tooltip: { valueFormatter: short }, itemStyle: { color: ink }, z: 3,
    renderItem: (_, api) => {
      const [low, high] = [1, 2].map((side) => api.coord([api.value(side), api.value(0)]));
      if (!low || !high) return null;
      const style = { stroke: ink, lineWidth: 1.5 };
      const stroke = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
      return { type: "group", children: [
        stroke(low[0], low[1], high[0], high[1]), stroke(low[0], low[1] - 4, low[0], low[1] + 4),
        stroke(high[0], high[1] - 4, high[0], high[1] + 4)] };
    },
  });

  // Names beside bars take at most two fifths of a narrow window.
  const beside = (side, room) =>
    side?.axisLabel?.width ? { ...side, axisLabel: { ...side.axisLabel, width: Math.min(side.axisLabel.width, 0.4 * room.clientWidth) } } : side;

  const plain = (option, room) => ({
    ...option,
    ...(option.yAxis && { yAxis: beside(option.yAxis, room) }),
    tooltip: option.tooltip && { confine: true, valueFormatter: short, ...option.tooltip },
    series: option.series.map((each) => (each.kilter === "interval" ? interval(each.data) : each)),
  });

  // The signal through the net: a map for each vital, layers across, records down; the histogram of a cell on hover.
  const bars = ({ shares, ends }) => {
    const most = Math.max(...shares), width = 220 / shares.length;
    const rects = shares.map((share, place) => {
      const height = 50 * (share / most || 0);
      return `<rect x="${place * width}" y="${50 - height}" width="${width}" height="${height}"/>`;
    });
    return `<br><svg width="220" height="50" fill="#0072b2">${rects.join("")}</svg><br>${short(ends[0])} to ${short(ends[1])}`;
  };

  const ONE_WAY = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];
  const BOTH_WAYS = ["#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"];

  const scale = (vital) => {
    const level = (value) => (value === null || !vital.log ? value : value > 0 ? Math.log10(value) : null);
    const levels = vital.values.flat().map(level).filter((value) => value !== null);
    const far = Math.max(...levels.map(Math.abs));
    const [low, high] = vital.both ? [-far, far] : [vital.least ?? Math.min(...levels), vital.most ?? Math.max(...levels)];
    return { level, low, high: Math.max(high, low + 1e-9), told: (end) => short(vital.log ? 10 ** end : end) };
  };

  const map = (given, name) => {
    const vital = given.vitals[name], { level, low, high } = scale(vital);
    const cells = vital.values.flatMap((row, record) =>
      row.map((value, place) => ({ value: [place, record, level(value)], record, place, seen: value })));
    const side = { type: "category", nameLocation: "middle", axisLine: { show: false }, axisTick: { show: false } };
    return {
      animation: false, grid: { left: 6, right: 8, top: 6, bottom: 6, outerBoundsMode: "same", outerBoundsContain: "all" },
      xAxis: { ...side, data: vital.places, axisLabel: { rotate: 40, hideOverlap: true, interval: Math.ceil(vital.places.length / 12) - 1, width: 150, overflow: "truncate" } },
      yAxis: { ...side, data: given.epochs.map(String), name: "epoch", nameGap: 32, inverse: true, axisLabel: { hideOverlap: true, interval: Math.ceil(given.epochs.length / 8) - 1 } },
      visualMap: { show: false, min: low, max: high, inRange: { color: vital.both ? BOTH_WAYS : ONE_WAY } },
      tooltip: {
        confine: true,
        formatter: ({ data }) => {
          const shares = vital.layers && given.histograms && given.histograms[data.record][data.place];
          const where = echarts.format.encodeHTML(vital.places[data.place]);
          return `${where}, epoch ${given.epochs[data.record]}<br>${name}: <b>${short(data.seen)}</b>${shares ? bars(shares) : ""}`;
        },
      },
      series: [{ type: "heatmap", data: cells.filter(({ value }) => value[2] !== null), progressive: 0 }],
    };
  };

  const legend = (vital, name) => {
    const { low, high, told } = scale(vital), words = document.createElement("p"), bar = document.createElement("i");
    const title = document.createElement("b"), range = document.createElement("span");
    title.textContent = name;
    bar.style.background = `linear-gradient(90deg, ${(vital.both ? BOTH_WAYS : ONE_WAY).join(", ")})`;
    range.append(told(low), bar, told(high));
    words.append(title, range);
    return words;
  };

  const charts = [];
  // With a view box a drawing can be made smaller by the style sheet, as paper needs it.
  const fitted = (chart) => {
    chart.getDom().querySelector("svg").setAttribute("viewBox", `0 0 ${chart.getWidth()} ${chart.getHeight()}`);
  };
  const draw = (canvas, option) => {
    const chart = echarts.init(canvas, theme, { renderer: "svg" });
    chart.setOption(option);
    charts.push(chart);
    fitted(chart);
  };

  const own = { maps: (room, given) => {
    const side = Math.max(...Object.values(given.vitals).flatMap((vital) => vital.places.map((place) => place.length)));
    for (const [name, vital] of Object.entries(given.vitals)) {
      const canvas = document.createElement("div"), part = document.createElement("div");
      canvas.className = "canvas";
      canvas.style.height = `${Math.min(110 + 8 * given.epochs.length, 320) + 3 * Math.min(side, 24)}px`;
      part.append(legend(vital, name), canvas);
      room.append(part);
      draw(canvas, map(given, name));
    }
  } };

  for (const figure of document.querySelectorAll("figure.chart")) {
    const given = JSON.parse(figure.querySelector("script").textContent), room = figure.querySelector(".room");
    if (figure.dataset.draw === "echarts") draw(room, plain(given, room));
    else own[figure.dataset.draw](room, given);
  }
  addEventListener("resize", () => charts.forEach((chart) => {
    if (matchMedia("print").matches) return;
    chart.resize();
    fitted(chart);
  }));

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
