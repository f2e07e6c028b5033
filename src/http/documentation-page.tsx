/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The page of `GET /documentation`. Only its first request loads the renderer of pages. */
import type { FC } from 'hono/jsx'

interface PageInput {
  /** Where the files of the page are, relative to its address. */
  readonly base: string
  readonly version: string
}

const Page: FC<PageInput> = ({ base, version }) => {
  const file = (name: string) => `${base}static/${name}?v=${encodeURIComponent(version)}`
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Footman API</title>
        <link rel="icon" href={file('logo.svg')} type="image/svg+xml" />
        <link rel="stylesheet" href={file('swagger-ui.css')} />
        <link rel="stylesheet" href={file('index.css')} />
      </head>
      <body>
        <header>
          <img src={file('logo.svg')} alt="" />
          Footman API
        </header>
        <div id="swagger-ui" />
        <script src={file('swagger-ui-bundle.js')} />
        <script src={file('swagger-initializer.js')} />
      </body>
    </html>
  )
}

export const documentationPage = (input: PageInput): string => `<!doctype html>${(<Page {...input} />).toString()}\n`
