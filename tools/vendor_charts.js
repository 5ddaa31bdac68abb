// The parts of Apache ECharts that the dashboard draws with, and nothing else.
// tools/vendor.py bundles this file into src/evervalue/dashboard/static/vendor/charts.js.
// Heat maps and legends are plain HTML in our pages (they read without script), so they are not in the bundle.
import { init, use } from "echarts/core";
import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

use([
  BarChart,
  LineChart,
  ScatterChart,
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  SVGRenderer,
]);

export { init };
