declare module 'svg-to-pdfkit' {
  /** Draws an SVG text; throws when it holds something that it cannot read. */
  export default function svgToPdf(
    doc: PDFKit.PDFDocument,
    svg: string,
    x: number,
    y: number,
    options: {
      width: number
      height: number
      preserveAspectRatio?: string
      fontCallback?: (family: string, bold: boolean, italic: boolean) => string
      warningCallback?: (warning: string) => void
    },
  ): void
}
