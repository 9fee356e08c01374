// DOT on standard input, SVG on standard output.
const { readFileSync } = require("node:fs");
const { instance } = require("@viz-js/viz");

instance().then((viz) => {
  process.stdout.write(viz.renderString(readFileSync(0, "utf8"), { format: "svg" }));
});
