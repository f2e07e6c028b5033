/**
 * The parts of ECharts in use, registered once for the thread. A file of its own with named imports, so that the bundler
 * leaves out all other charts; it is imported with the first chart.
 */
import {
  BarChart,
  BoxplotChart,
  CustomChart,
  FunnelChart,
  GaugeChart,
  HeatmapChart,
  LineChart,
  PieChart,
  RadarChart,
  SankeyChart,
  ScatterChart,
  TreemapChart,
} from 'echarts/charts'
import {
  GraphicComponent,
  GridComponent,
  LegendPlainComponent,
  RadarComponent,
  TitleComponent,
  VisualMapContinuousComponent,
} from 'echarts/components'
import { init, setPlatformAPI, use } from 'echarts/core'
import { LabelLayout } from 'echarts/features'
import { SVGRenderer } from 'echarts/renderers'

use([
  BarChart,
  LineChart,
  PieChart,
  ScatterChart,
  GaugeChart,
  TreemapChart,
  HeatmapChart,
  BoxplotChart,
  FunnelChart,
  RadarChart,
  SankeyChart,
  CustomChart,
  GridComponent,
  LegendPlainComponent,
  TitleComponent,
  GraphicComponent,
  RadarComponent,
  VisualMapContinuousComponent,
  LabelLayout,
  SVGRenderer,
])

export { init, setPlatformAPI }
