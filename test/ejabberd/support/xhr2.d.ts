declare module 'xhr2' {
  export default class XMLHttpRequest {
    responseText: string;
  }
}
