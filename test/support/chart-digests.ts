/** SHA-256 of the SVG and the PNG of a chart of each kind; run as a program it prints them, for comparing two processes. */
import { createHash } from 'node:crypto'
import { chartSvg, svgToPng } from '../../src/reports/documents/charts/index.ts'
import { loadFonts } from '../../src/reports/documents/fonts.ts'
import { sampleCharts } from './report-charts.ts'

const digest = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

export async function chartDigests(): Promise<Record<string, string>> {
  const fonts = await loadFonts()
  const digests: Record<string, string> = {}
  for (const chart of sampleCharts()) {
    const drawing = { width: 480, height: 300, title: chart.kind, idPrefix: 'block', locale: 'en-GB', fonts }
    const svg = await chartSvg(chart, drawing)
    digests[chart.kind] = `${digest(svg)} ${digest(await svgToPng(svg, 1, fonts))}`
  }
  return digests
}

if (import.meta.main) console.log(JSON.stringify(await chartDigests()))
