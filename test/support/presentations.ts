/** PowerPoint templates made by code. */
import { contentTypes, type Parts, relationships, smallWorkbook, zipOf } from './office.ts'
import { PNG } from './templates.ts'

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006'
const TYPE = 'application/vnd.openxmlformats-officedocument.presentationml'
const NAMESPACES = `xmlns:a="${DRAWING}/main" xmlns:r="${OFFICE}" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"`

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const drawingRun = (text: string, bold = false) =>
  `<a:r><a:rPr lang="en-GB"${bold ? ' b="1"' : ''}/><a:t>${escaped(text)}</a:t></a:r>`
/** Paragraphs; each a text, or a list of texts that are runs, every other one bold. */
const body = (name: 'p' | 'a', paragraphs: readonly (string | readonly string[])[]) =>
  `<${name}:txBody><a:bodyPr/><a:lstStyle/>${paragraphs
    .map(
      (texts) =>
        `<a:p>${[texts]
          .flat()
          .map((text, index) => drawingRun(text, index % 2 === 1))
          .join('')}</a:p>`,
    )
    .join('')}</${name}:txBody>`

const frame = (x: number, y: number, width: number, height: number, name = 'a') =>
  `<${name}:xfrm><a:off x="${x}" y="${y}"/><a:ext cx="${width}" cy="${height}"/></${name}:xfrm>`

/** A text box of the given name. */
export const shape = (name: string, y: number, ...paragraphs: readonly (string | readonly string[])[]): string =>
  `<p:sp><p:nvSpPr><p:cNvPr id="2" name="${name}"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr>${frame(500_000, y, 8_000_000, 800_000)}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>${body('p', paragraphs)}</p:sp>`

/** A table named `Table 4`; rows are 0.5 cm high. */
export const slideTable = (y: number, ...rows: readonly (readonly string[])[]): string =>
  `<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="4" name="Table 4"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>${frame(500_000, y, 4_000_000, 360_000, 'p')}<a:graphic><a:graphicData uri="${DRAWING}/table"><a:tbl><a:tblPr firstRow="1" bandRow="1"/><a:tblGrid>${(rows[0] ?? []).map(() => '<a:gridCol w="2000000"/>').join('')}</a:tblGrid>${rows
    .map(
      (cells) =>
        `<a:tr h="180000">${cells.map((text) => `<a:tc>${body('a', [text])}<a:tcPr/></a:tc>`).join('')}</a:tr>`,
    )
    .join('')}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>`

/** A picture of 300 x 200 pixels, `rId2` of the slide. */
export const slidePicture = (alternative: string): string =>
  `<p:pic><p:nvPicPr><p:cNvPr id="5" name="Image 5" descr="${alternative}"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed="rId2"/><a:stretch><a:fillRect/></a:stretch></p:blipFill><p:spPr>${frame(5_500_000, 1_500_000, 2_857_500, 1_905_000)}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr></p:pic>`

/** The native chart `rId3` of the slide. */
export const slideChart = `<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="6" name="Chart 6"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>${frame(500_000, 4_000_000, 4_000_000, 2_500_000, 'p')}<a:graphic><a:graphicData uri="${DRAWING}/chart"><c:chart xmlns:c="${DRAWING}/chart" r:id="rId3"/></a:graphicData></a:graphic></p:graphicFrame>`

const tree = (content: string) =>
  `<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>${content}</p:spTree></p:cSld>`

const CHART = `${XML}<c:chartSpace xmlns:c="${DRAWING}/chart" xmlns:a="${DRAWING}/main" xmlns:r="${OFFICE}"><c:chart><c:plotArea><c:layout/><c:barChart><c:barDir val="col"/><c:grouping val="clustered"/><c:ser><c:idx val="0"/><c:order val="0"/><c:cat><c:strLit><c:ptCount val="2"/><c:pt idx="0"><c:v>A</c:v></c:pt><c:pt idx="1"><c:v>B</c:v></c:pt></c:strLit></c:cat><c:val><c:numLit><c:ptCount val="2"/><c:pt idx="0"><c:v>3</c:v></c:pt><c:pt idx="1"><c:v>5</c:v></c:pt></c:numLit></c:val></c:ser><c:axId val="1"/><c:axId val="2"/></c:barChart><c:catAx><c:axId val="1"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="b"/><c:crossAx val="2"/></c:catAx><c:valAx><c:axId val="2"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="l"/><c:crossAx val="1"/></c:valAx></c:plotArea></c:chart><c:externalData r:id="rId1"><c:autoUpdate val="0"/></c:externalData></c:chartSpace>`

const color = (name: string, value: string) => `<a:${name}><a:srgbClr val="${value}"/></a:${name}>`
const COLORS = [
  'dk1:000000',
  'lt1:FFFFFF',
  'dk2:1F497D',
  'lt2:EEECE1',
  'accent1:4F81BD',
  'accent2:C0504D',
  'accent3:9BBB59',
  'accent4:8064A2',
  'accent5:4BACC6',
  'accent6:F79646',
  'hlink:0000FF',
  'folHlink:800080',
]
const FONT = '<a:latin typeface="DejaVu Sans"/><a:ea typeface=""/><a:cs typeface=""/>'
const SOLID = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
const LINE = `<a:ln>${SOLID}</a:ln>`
const EFFECT = '<a:effectStyle><a:effectLst/></a:effectStyle>'
const THEME = `${XML}<a:theme xmlns:a="${DRAWING}/main" name="T"><a:themeElements><a:clrScheme name="C">${COLORS.map((one) => color(one.split(':')[0]!, one.split(':')[1]!)).join('')}</a:clrScheme><a:fontScheme name="F"><a:majorFont>${FONT}</a:majorFont><a:minorFont>${FONT}</a:minorFont></a:fontScheme><a:fmtScheme name="S"><a:fillStyleLst>${SOLID.repeat(3)}</a:fillStyleLst><a:lnStyleLst>${LINE.repeat(3)}</a:lnStyleLst><a:effectStyleLst>${EFFECT.repeat(3)}</a:effectStyleLst><a:bgFillStyleLst>${SOLID.repeat(3)}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>`
const MAP =
  '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>'

export interface SlideSource {
  readonly content: string
  /** Text of the notes; none without. */
  readonly notes?: string
  /** Number of a slide that this one links to; its relationship is `rId5`. */
  readonly linksTo?: number
}

/** Slides in one section. Each has the layout (rId1), a picture (rId2), a native chart (rId3) and perhaps notes (rId4). */
export async function slideTemplate(...slides: readonly SlideSource[]): Promise<Parts> {
  const parts: Record<string, string | Uint8Array> = {}
  const types: Record<string, string> = {
    'ppt/presentation.xml': `${TYPE}.presentation.main+xml`,
    'ppt/slideMasters/slideMaster1.xml': `${TYPE}.slideMaster+xml`,
    'ppt/slideLayouts/slideLayout1.xml': `${TYPE}.slideLayout+xml`,
    'ppt/notesMasters/notesMaster1.xml': `${TYPE}.notesMaster+xml`,
    'ppt/theme/theme1.xml': 'application/vnd.openxmlformats-officedocument.theme+xml',
    'ppt/theme/theme2.xml': 'application/vnd.openxmlformats-officedocument.theme+xml',
  }
  const workbook = await zipOf(smallWorkbook())
  for (const [index, { content, notes, linksTo }] of slides.entries()) {
    const number = index + 1
    const related: (readonly [string, string])[] = [
      ['slideLayout', '../slideLayouts/slideLayout1.xml'],
      ['image', '../media/image1.png'],
      ['chart', `../charts/chart${number}.xml`],
      notes === undefined ? ['tags', '../tags/tag1.xml'] : ['notesSlide', `../notesSlides/notesSlide${number}.xml`],
    ]
    if (linksTo) related.push(['slide', `slide${linksTo}.xml`])
    parts[`ppt/slides/slide${number}.xml`] = `${XML}<p:sld ${NAMESPACES}>${tree(content)}</p:sld>`
    parts[`ppt/slides/_rels/slide${number}.xml.rels`] = relationships(...related)
    parts[`ppt/charts/chart${number}.xml`] = CHART
    parts[`ppt/charts/_rels/chart${number}.xml.rels`] = relationships(['package', `../embeddings/book${number}.xlsx`])
    parts[`ppt/embeddings/book${number}.xlsx`] = workbook
    types[`ppt/slides/slide${number}.xml`] = `${TYPE}.slide+xml`
    types[`ppt/charts/chart${number}.xml`] = 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml'
    types[`ppt/embeddings/book${number}.xlsx`] = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
    if (notes === undefined) continue
    parts[`ppt/notesSlides/notesSlide${number}.xml`] =
      `${XML}<p:notes ${NAMESPACES}>${tree(shape('Notes 1', 0, notes))}</p:notes>`
    parts[`ppt/notesSlides/_rels/notesSlide${number}.xml.rels`] = relationships(
      ['notesMaster', '../notesMasters/notesMaster1.xml'],
      ['slide', `../slides/slide${number}.xml`],
    )
    types[`ppt/notesSlides/notesSlide${number}.xml`] = `${TYPE}.notesSlide+xml`
  }
  const id = (index: number) => 256 + index
  const list = slides.map((_, index) => `<p:sldId id="${id(index)}" r:id="rId${index + 3}"/>`).join('')
  const section = `<p:extLst><p:ext uri="{521415D9-36F7-43E2-AB2F-B90AF26B5E84}"><p14:sectionLst xmlns:p14="http://schemas.microsoft.com/office/powerpoint/2010/main"><p14:section name="S" id="{6F3A0F0E-0000-4000-8000-000000000001}"><p14:sldIdLst>${slides.map((_, index) => `<p14:sldId id="${id(index)}"/>`).join('')}</p14:sldIdLst></p14:section></p14:sectionLst></p:ext></p:extLst>`
  const layout = '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
  return {
    '[Content_Types].xml': contentTypes(types),
    '_rels/.rels': relationships(['officeDocument', 'ppt/presentation.xml']),
    'ppt/presentation.xml': `${XML}<p:presentation ${NAMESPACES}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst><p:notesMasterIdLst><p:notesMasterId r:id="rId2"/></p:notesMasterIdLst><p:sldIdLst>${list}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/>${section}</p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relationships(
      ['slideMaster', 'slideMasters/slideMaster1.xml'],
      ['notesMaster', 'notesMasters/notesMaster1.xml'],
      ...slides.map((_, index) => ['slide', `slides/slide${index + 1}.xml`] as const),
    ),
    'ppt/slideMasters/slideMaster1.xml': `${XML}<p:sldMaster ${NAMESPACES}>${tree('')}${MAP}${layout}</p:sldMaster>`,
    'ppt/slideMasters/_rels/slideMaster1.xml.rels': relationships(
      ['slideLayout', '../slideLayouts/slideLayout1.xml'],
      ['theme', '../theme/theme1.xml'],
    ),
    'ppt/slideLayouts/slideLayout1.xml': `${XML}<p:sldLayout ${NAMESPACES}>${tree('')}</p:sldLayout>`,
    'ppt/slideLayouts/_rels/slideLayout1.xml.rels': relationships(['slideMaster', '../slideMasters/slideMaster1.xml']),
    'ppt/notesMasters/notesMaster1.xml': `${XML}<p:notesMaster ${NAMESPACES}>${tree('')}${MAP}</p:notesMaster>`,
    'ppt/notesMasters/_rels/notesMaster1.xml.rels': relationships(['theme', '../theme/theme2.xml']),
    'ppt/theme/theme1.xml': THEME,
    'ppt/theme/theme2.xml': THEME,
    'ppt/media/image1.png': PNG,
    'ppt/tags/tag1.xml': `${XML}<p:tagLst ${NAMESPACES}/>`,
    ...parts,
  }
}

/** Paragraphs as lines, table rows as `a | b`, line breaks as `/`, pictures as `[alternative text]`. */
export function slideText(xml: string): string[] {
  const flat = xml
    .replaceAll(/<a:br(?:\/>|>.*?<\/a:br>)/gs, '<a:t>/</a:t>')
    .replaceAll(/<p:cNvPr[^>]* descr="([^"]*)"[^>]*>/g, '<a:p><a:t>[$1]</a:t></a:p>')
  const textOf = (source: string) =>
    [...source.matchAll(/<a:t>([^<]*)<\/a:t>/g)]
      .map(([, text = '']) => text)
      .join('')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&')
  return [...flat.matchAll(/<a:tr .*?<\/a:tr>|<a:p>.*?<\/a:p>|<a:p\/>/gs)].map(([block]) =>
    block.startsWith('<a:tr') ? block.split('</a:tc>').slice(0, -1).map(textOf).join(' | ') : textOf(block),
  )
}
