/**
 * Strophe's BOSH transport is written for browsers: it wants an XMLHttpRequest with `responseXML`.
 * xhr2 has everything but that.
 */
import { DOMParser } from '@xmldom/xmldom';
import NodeXmlHttpRequest from 'xhr2';

export class XmlHttpRequest extends NodeXmlHttpRequest {
  get responseXML(): unknown {
    return this.responseText ? new DOMParser().parseFromString(this.responseText, 'text/xml') : null;
  }

  // xhr2's constructor assigns null.
  set responseXML(_: unknown) {}
}

Object.assign(globalThis, { XMLHttpRequest: XmlHttpRequest });
