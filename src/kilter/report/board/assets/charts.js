"use strict";
// Draws options of charts on the board, in the colors of the page, and keeps what someone has zoomed in to.
const board = (() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) =>
    typeof value !== "number" ? "" : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(2) : String(Number(value.toPrecision(4)));

  const themed = () => {
    const ink = { color: color("--ink") }, line = { color: color("--line") };
    const axis = { axisLine: { lineStyle: line }, axisLabel: ink, nameTextStyle: ink, splitLine: { lineStyle: line } };
    return {
      backgroundColor: "transparent", textStyle: { ...ink, fontFamily: "system-ui, sans-serif" },
      legend: { textStyle: ink, pageTextStyle: ink, pageIconColor: color("--link"), pageIconInactiveColor: color("--line") },
      valueAxis: axis, logAxis: axis, categoryAxis: axis, visualMap: { textStyle: ink },
      parallel: { parallelAxisDefault: { ...axis, axisLine: { lineStyle: ink } } },
    };
  };

  // The strict policy of the page allows no styles within markup, so that tooltips are drawn on the canvas, too.
  const tooltip = () => ({
    renderMode: "richText", confine: true, valueFormatter: short, backgroundColor: color("--panel"),
    borderColor: color("--line"), textStyle: { color: color("--ink"), fontSize: 13 },
  });

  const charts = new Map();

  // The option is merged into the chart that is there, so that zooms and brushes stay while a run goes on.
  const draw = (place, option) => {
    let chart = charts.get(place);
    if (!chart) {
      chart = echarts.init(place, themed(), { renderer: "canvas" });
      charts.set(place, chart);
    }
    const strokes = option.series.map((each) => (each.type === "lines" ? { ...each, lineStyle: { ...each.lineStyle, color: color("--ink") } } : each));
    chart.setOption({ animation: false, ...option, series: strokes, tooltip: { ...tooltip(), ...option.tooltip } }, { replaceMerge: ["series"] });
    return chart;
  };
  const forget = (place) => {
    if (charts.has(place)) charts.get(place).dispose();
    charts.delete(place);
  };
  const resize = () => charts.forEach((chart, place) => place.offsetWidth && chart.resize());
  addEventListener("resize", resize);

  return { draw, forget, resize, short, clear: () => [...charts.keys()].forEach(forget) };
})();
