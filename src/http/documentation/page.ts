/** The page that shows the description of the API. */

/** Nothing from other hosts; the styles are those that Swagger UI sets on its elements. */
export const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'"

/** `base`: where the page's files are, seen from it. */
export function documentationPage({ base, version }: { base: string; version: string }): string {
  const file = (name: string) => `${base}static/${name}?v=${encodeURIComponent(version)}`
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Footman API</title>
    <link rel="icon" href="${file('logo.svg')}" type="image/svg+xml">
    <link rel="stylesheet" href="${file('swagger-ui.css')}">
    <link rel="stylesheet" href="${file('index.css')}">
  </head>
  <body>
    <header><img src="${file('logo.svg')}" alt="">Footman API</header>
    <div id="swagger-ui"></div>
    <script src="${file('swagger-ui-bundle.js')}"></script>
    <script src="${file('swagger-initializer.js')}"></script>
  </body>
</html>
`
}
