/** Charts of workbooks as DrawingML (ECMA-376 part 1, 21.2): Excel draws them from the cells below, so that readers can go on with both. */
import type { ChartKind } from '../entities/report.ts'
import type { Row } from '../types.ts'
import { type ChartContent, emptyText } from './charts/content.ts'
import { groupsOf, numbersOf, type Pivot, pivot, type Series } from './charts/frame.ts'
import { PALETTE } from './charts/style.ts'
import { escapeXml, lettersOf, XML } from './xlsx-parts.ts'

interface Shape {
  readonly element: 'barChart' | 'lineChart' | 'areaChart' | 'pieChart' | 'doughnutChart'
  readonly grouping?: 'clustered' | 'standard' | 'stacked' | 'percentStacked'
}

/** Kinds that Excel draws by itself; the others are pictures. */
const SHAPES: Partial<Record<ChartKind, Shape>> = {
  bar: { element: 'barChart', grouping: 'clustered' },
  barHorizontal: { element: 'barChart', grouping: 'clustered' },
  barGrouped: { element: 'barChart', grouping: 'clustered' },
  barStacked: { element: 'barChart', grouping: 'stacked' },
  barPercent: { element: 'barChart', grouping: 'percentStacked' },
  line: { element: 'lineChart', grouping: 'standard' },
  area: { element: 'areaChart', grouping: 'standard' },
  areaStacked: { element: 'areaChart', grouping: 'stacked' },
  combo: { element: 'barChart', grouping: 'clustered' },
  pie: { element: 'pieChart' },
  donut: { element: 'doughnutChart' },
}

export const isNative = (content: ChartContent): boolean =>
  content.kind === 'scatter'
    ? pointRows(content).length > 0
    : SHAPES[content.kind] !== undefined && emptyText(content) === null

/** The rows of a scatter chart with both values, those of a group of colour together; the table below the chart. */
export function pointRows({ dimensions, rows }: ChartContent): readonly Row[] {
  const first = dimensions.length
  const complete = rows.filter((row) => numbersOf(row.slice(first, first + 2)).length === 2)
  return first > 1 ? groupsOf(complete, 1).flatMap(({ rows: members }) => members) : complete
}

/** Categories, and the cells of each series; the columns of the table below the chart. */
export const chartData = (content: ChartContent): Pivot => pivot(content)

/** The table of the chart. */
export interface DataPlace {
  readonly sheet: string
  /** The row of the header, from 1. */
  readonly row: number
  /** Number formats of the columns of series, of a scatter chart those of its measures. */
  readonly formats: readonly string[]
  readonly categories: CategoryCells
}

/** The cells of the categories. */
export interface CategoryCells {
  /** The format of those that are numbers; null without any. */
  readonly format: string | null
  /** Null for texts. */
  readonly numbers: readonly (number | null)[]
}

/** A series with what the chart needs to know of it. */
interface Drawn {
  readonly series: Series
  readonly index: number
  readonly as: 'bar' | 'line'
  readonly axis: 'left' | 'right'
}

/** The part of a chart over `chartData` or `pointRows`. */
export function chartXml(content: ChartContent, place: DataPlace): string {
  if (content.kind === 'scatter') {
    const { plot, series } = scatter(content, place)
    return chartSpace(content, plot, series > 1)
  }
  const shape = SHAPES[content.kind]!
  const data = chartData(content)
  const isMeasured = data.series.length === content.measures.length
  const drawn = data.series.map((series, index): Drawn => {
    const { as = 'bar', axis = 'left' } = (content.kind === 'combo' && isMeasured && content.measures[index]) || {}
    return { series, index, as, axis }
  })
  const plot =
    shape.grouping === undefined
      ? round(content, shape, drawn, data, place)
      : withAxes(content, shape, drawn, data, place)
  return chartSpace(content, plot, drawn.length > 1 || shape.grouping === undefined)
}

function chartSpace(content: ChartContent, plot: string, needsLegend: boolean): string {
  const legend =
    needsLegend && content.legend !== 'none'
      ? `<c:legend><c:legendPos val="${content.legend === 'right' ? 'r' : 't'}"/><c:overlay val="0"/></c:legend>`
      : ''
  return `${XML}<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><c:roundedCorners val="0"/><c:chart><c:autoTitleDeleted val="1"/><c:plotArea><c:layout/>${plot}</c:plotArea>${legend}<c:plotVisOnly val="1"/><c:dispBlanksAs val="gap"/></c:chart><c:spPr><a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill><a:ln><a:noFill/></a:ln></c:spPr><c:txPr><a:bodyPr/><a:lstStyle/><a:p><a:pPr><a:defRPr sz="900"/></a:pPr><a:endParaRPr lang="en-US"/></a:p></c:txPr></c:chartSpace>`
}

// --- Series ---

const colourOf = (index: number): string => PALETTE[index % PALETTE.length]!.slice(1).toUpperCase()
const fill = (colour: string): string => `<a:solidFill><a:srgbClr val="${colour}"/></a:solidFill>`

/** A reference to cells with their content. */
function reference(
  kind: 'str' | 'num',
  { sheet }: DataPlace,
  column: string,
  [first, last]: readonly [number, number],
  values: readonly (string | number | null)[],
  format?: string,
): string {
  const points = values.map((value, at) =>
    value === null ? '' : `<c:pt idx="${at}"><c:v>${escapeXml(String(value))}</c:v></c:pt>`,
  )
  const end = first === last ? '' : `:$${column}$${last}`
  const cells = escapeXml(`'${sheet.replaceAll("'", "''")}'!$${column}$${first}${end}`)
  const code = format === undefined ? '' : `<c:formatCode>${escapeXml(format)}</c:formatCode>`
  return `<c:${kind}Ref><c:f>${cells}</c:f><c:${kind}Cache>${code}<c:ptCount val="${values.length}"/>${points.join('')}</c:${kind}Cache></c:${kind}Ref>`
}

function seriesXml(
  content: ChartContent,
  element: Shape['element'],
  one: Drawn,
  data: Pivot,
  place: DataPlace,
): string {
  const { series, index } = one
  const column = lettersOf(index + 2)
  const rows = [place.row + 1, place.row + data.categories.length] as const
  const colour = colourOf(index)
  const look = {
    barChart: `<c:spPr>${fill(colour)}</c:spPr><c:invertIfNegative val="0"/>`,
    areaChart: `<c:spPr>${fill(colour)}</c:spPr>`,
    lineChart: `<c:spPr><a:ln w="28575" cap="rnd">${fill(colour)}<a:round/></a:ln></c:spPr><c:marker><c:symbol val="circle"/><c:size val="5"/><c:spPr>${fill(colour)}</c:spPr></c:marker>`,
    pieChart: slices(data),
    doughnutChart: slices(data),
  }[element]
  const name = `<c:tx>${reference('str', place, column, [place.row, place.row], [series.name])}</c:tx>`
  const { format, numbers: ofCategories } = place.categories
  const names =
    format === null || ofCategories.includes(null)
      ? reference('str', place, 'A', rows, data.categories)
      : reference('num', place, 'A', rows, ofCategories, format)
  const numbers = series.cells.map((cell) => cell?.number ?? null)
  const values = `<c:val>${reference('num', place, column, rows, numbers, place.formats[index] ?? 'General')}</c:val>`
  const smooth = element === 'lineChart' ? '<c:smooth val="0"/>' : ''
  return `<c:ser><c:idx val="${index}"/><c:order val="${index}"/>${name}${look}${labels(content, element)}<c:cat>${names}</c:cat>${values}${smooth}</c:ser>`
}

/** Slices have the colours of series. */
const slices = ({ categories }: Pivot): string =>
  categories
    .map(
      (_, index) =>
        `<c:dPt><c:idx val="${index}"/><c:bubble3D val="0"/><c:spPr>${fill(colourOf(index))}</c:spPr></c:dPt>`,
    )
    .join('')

/** Values where they are asked for; a slice has its name and share anyway. */
function labels({ labels: isShown }: ChartContent, element: Shape['element']): string {
  const isRound = element === 'pieChart' || element === 'doughnutChart'
  if (!isShown && !isRound) return ''
  const show = {
    LegendKey: false,
    Val: isShown,
    CatName: element === 'pieChart',
    SerName: false,
    Percent: isRound,
    BubbleSize: false,
  }
  const flags = Object.entries(show).map(([what, on]) => `<c:show${what} val="${on ? 1 : 0}"/>`)
  const position = element === 'pieChart' ? '<c:dLblPos val="outEnd"/>' : ''
  return `<c:dLbls>${position}${flags.join('')}${isRound ? '<c:showLeaderLines val="1"/>' : ''}</c:dLbls>`
}

// --- Plots ---

/** Points of two measures; a series for each value of the second dimension. */
function scatter(content: ChartContent, place: DataPlace): { readonly plot: string; readonly series: number } {
  const { dimensions, measures } = content
  const count = dimensions.length
  const rows = pointRows(content)
  const groups = count > 1 ? groupsOf(rows, 1) : [{ name: '', rows }]
  let next = place.row + 1
  const series = groups.map(({ name, rows: members }, index) => {
    const range = [next, next + members.length - 1] as const
    next += members.length
    const values = (measure: 0 | 1) =>
      reference(
        'num',
        place,
        lettersOf(count + measure + 1),
        range,
        members.map((row) => row[count + measure]?.number ?? null),
        place.formats[measure] ?? 'General',
      )
    const named =
      count > 1
        ? reference('str', place, 'B', [range[0], range[0]], [name])
        : reference('str', place, lettersOf(count + 2), [place.row, place.row], [measures[1]?.label ?? ''])
    const marker = `<c:marker><c:symbol val="circle"/><c:size val="7"/><c:spPr>${fill(colourOf(index))}</c:spPr></c:marker>`
    const line = '<c:spPr><a:ln w="19050"><a:noFill/></a:ln></c:spPr>'
    return `<c:ser><c:idx val="${index}"/><c:order val="${index}"/><c:tx>${named}</c:tx>${line}${marker}<c:xVal>${values(0)}</c:xVal><c:yVal>${values(1)}</c:yVal><c:smooth val="0"/></c:ser>`
  })
  const axis = (id: number, other: number, side: 'b' | 'l', measure: 0 | 1) =>
    [
      `<c:valAx><c:axId val="${id}"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="${side}"/>`,
      `<c:majorGridlines>${THIN('E3E7EB')}</c:majorGridlines>${axisTitle(measures[measure]?.label ?? '')}`,
      `<c:numFmt formatCode="${escapeXml(place.formats[measure] ?? 'General')}" sourceLinked="0"/><c:majorTickMark val="none"/><c:minorTickMark val="none"/><c:tickLblPos val="low"/>`,
      `${THIN('9AA5B1')}<c:crossAx val="${other}"/><c:crosses val="autoZero"/><c:crossBetween val="midCat"/></c:valAx>`,
    ].join('')
  const [x, y] = AXES.left
  const plot = `<c:scatterChart><c:scatterStyle val="lineMarker"/><c:varyColors val="0"/>${series.join('')}<c:axId val="${x}"/><c:axId val="${y}"/></c:scatterChart>`
  return { plot: `${plot}${axis(x, y, 'b', 0)}${axis(y, x, 'l', 1)}`, series: series.length }
}

const axisTitle = (text: string): string =>
  text === ''
    ? ''
    : `<c:title><c:tx><c:rich><a:bodyPr/><a:p><a:pPr><a:defRPr sz="900" b="0"/></a:pPr><a:r><a:rPr lang="en-US" sz="900" b="0"/><a:t>${escapeXml(text)}</a:t></a:r></a:p></c:rich></c:tx><c:overlay val="0"/></c:title>`

function round(
  content: ChartContent,
  { element }: Shape,
  drawn: readonly Drawn[],
  data: Pivot,
  place: DataPlace,
): string {
  const series = drawn.slice(0, 1).map((one) => seriesXml(content, element, one, data, place))
  const hole = element === 'doughnutChart' ? '<c:holeSize val="55"/>' : ''
  return `<c:${element}><c:varyColors val="1"/>${series.join('')}<c:firstSliceAng val="0"/>${hole}</c:${element}>`
}

/** Numbers of the axes: those at the left, then those at the right. */
const AXES = { left: [1, 2], right: [3, 4] } as const

function withAxes(content: ChartContent, shape: Shape, drawn: readonly Drawn[], data: Pivot, place: DataPlace): string {
  const isLying = content.kind === 'barHorizontal' || content.horizontal === true
  const groups: string[] = []
  for (const axis of ['left', 'right'] as const) {
    for (const as of ['bar', 'line'] as const) {
      const members = drawn.filter((one) => one.axis === axis && one.as === as)
      if (members.length === 0) continue
      const element = as === 'line' ? 'lineChart' : shape.element
      const series = members.map((one) => seriesXml(content, element, one, data, place)).join('')
      groups.push(group(element, as === 'line' ? 'standard' : shape.grouping!, isLying, series, AXES[axis]))
    }
  }
  const sides = (['left', 'right'] as const).filter((axis) => drawn.some((one) => one.axis === axis))
  return groups.join('') + sides.map((axis) => axes(content, axis, isLying, drawn, place)).join('')
}

function group(
  element: Shape['element'],
  grouping: string,
  isLying: boolean,
  series: string,
  [category, value]: readonly [number, number],
): string {
  const ids = `<c:axId val="${category}"/><c:axId val="${value}"/>`
  const start = `<c:grouping val="${grouping}"/><c:varyColors val="0"/>${series}`
  if (element === 'lineChart') return `<c:lineChart>${start}<c:marker val="1"/>${ids}</c:lineChart>`
  if (element === 'areaChart') return `<c:areaChart>${start}${ids}</c:areaChart>`
  const overlap = /tacked$/.test(grouping) ? '<c:overlap val="100"/>' : ''
  return `<c:barChart><c:barDir val="${isLying ? 'bar' : 'col'}"/>${start}<c:gapWidth val="60"/>${overlap}${ids}</c:barChart>`
}

const THIN = (colour: string): string => `<c:spPr><a:ln w="9525">${fill(colour)}</a:ln></c:spPr>`

function axes(
  content: ChartContent,
  side: 'left' | 'right',
  isLying: boolean,
  drawn: readonly Drawn[],
  place: DataPlace,
): string {
  const isFirst = side === 'left' || drawn.every(({ axis }) => axis === 'right')
  const [category, value] = AXES[side]
  const own = drawn.find(({ axis }) => axis === side)!
  const format = content.kind === 'barPercent' ? '0%' : (place.formats[own.index] ?? 'General')
  const [names, numbers] = isLying ? ['l', 'b'] : ['b', side === 'left' ? 'l' : 'r']
  // The first category of lying bars stands at the top, the numbers below all of them.
  const order = isLying ? 'maxMin' : 'minMax'
  const crosses = isLying || (side === 'right' && !isFirst) ? 'max' : 'autoZero'
  const grid = isFirst ? `<c:majorGridlines>${THIN('E3E7EB')}</c:majorGridlines>` : ''
  const marks = '<c:majorTickMark val="none"/><c:minorTickMark val="none"/>'
  return [
    `<c:catAx><c:axId val="${category}"/><c:scaling><c:orientation val="${order}"/></c:scaling><c:delete val="${isFirst ? 0 : 1}"/><c:axPos val="${names}"/>`,
    `<c:numFmt formatCode="${escapeXml(place.categories.format ?? 'General')}" sourceLinked="0"/>${marks}<c:tickLblPos val="low"/>${THIN('9AA5B1')}<c:crossAx val="${value}"/><c:crosses val="autoZero"/><c:auto val="0"/><c:lblAlgn val="ctr"/><c:lblOffset val="100"/><c:noMultiLvlLbl val="1"/></c:catAx>`,
    `<c:valAx><c:axId val="${value}"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="${numbers}"/>${grid}`,
    `<c:numFmt formatCode="${escapeXml(format)}" sourceLinked="0"/>${marks}<c:tickLblPos val="nextTo"/><c:spPr><a:ln><a:noFill/></a:ln></c:spPr><c:crossAx val="${category}"/><c:crosses val="${crosses}"/><c:crossBetween val="${/^area/.test(content.kind) ? 'midCat' : 'between'}"/></c:valAx>`,
  ].join('')
}
