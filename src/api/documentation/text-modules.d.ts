/** Files that are embedded as text. */
declare module 'swagger-ui-dist/*' {
  const text: string
  export default text
}
