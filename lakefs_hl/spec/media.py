"""Content types of objects, guessed from the suffix of their path.

Rules of the room: the table is ours and the same everywhere. Python's `mimetypes` reads files of the machine, and the
content type is part of lakeFS's identity of an object: the same upload from two machines would be two versions. For the
same reason an entry is never changed once it is released; entries may be added, which changes only what was
`application/octet-stream` before.

Types are those of the IANA registry (https://www.iana.org/assignments/media-types) where the format has one. A comment
names the source of every other type. Text types carry no charset: the suffix does not tell it, and lakeFS displays
`text/plain` in a browser and offers `text/plain; charset=utf-8` as a download.
"""

from __future__ import annotations

from typing import Final

from lakefs_hl.spec.headers import JSON, OCTET_STREAM

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument"
# Left out: formats without a registered or commonly used type (npy, npz, orc, onnx, pickle, pt, safetensors, whl), and
# suffixes of several formats: ts (TypeScript, MPEG), vcf (variants, business cards), pdb (proteins, Palm), db, dat.
_TYPES: Final = {
    "7z": "application/x-7z-compressed",  # Apache httpd, shared-mime-info
    "aac": "audio/aac",
    "aif": "audio/x-aiff",  # Apache httpd, shared-mime-info
    "aiff": "audio/x-aiff",  # Apache httpd, shared-mime-info
    "arrow": "application/vnd.apache.arrow.file",
    "arrows": "application/vnd.apache.arrow.stream",
    "avi": "video/x-msvideo",  # Apache httpd, shared-mime-info
    "avif": "image/avif",
    "avro": "application/avro",  # not registered; CloudEvents and schema registries write it so
    "bib": "text/x-bibtex",  # shared-mime-info
    "bmp": "image/bmp",
    "br": "application/x-brotli",  # not registered; RFC 7932 registers the content coding only
    "bufr": "application/bufr",
    "bz2": "application/x-bzip2",  # Apache httpd
    "cbor": "application/cbor",
    "cfg": "text/plain",
    "conf": "text/plain",
    "css": "text/css",
    "csv": "text/csv",
    "dbf": "application/vnd.dbf",
    "dcm": "application/dicom",
    "doc": "application/msword",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "epub": "application/epub+zip",
    "feather": "application/vnd.apache.arrow.file",  # Feather V2 is the Arrow file format
    "fit": "application/fits",
    "fits": "application/fits",
    "flac": "audio/flac",
    "geojson": "application/geo+json",
    "geojsonl": "application/x-ndjson",  # by lines; application/geo+json-seq needs record separators
    "gif": "image/gif",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "gml": "application/gml+xml",
    "gpkg": "application/geopackage+sqlite3",
    "gpx": "application/gpx+xml",  # Apache httpd, shared-mime-info
    "grb": "application/grib",
    "grib": "application/grib",
    "grib2": "application/grib",
    "gv": "text/vnd.graphviz",
    "gz": "application/gzip",
    "h5": "application/x-hdf5",  # not registered; The HDF Group names it
    "hdf5": "application/x-hdf5",  # not registered; The HDF Group names it
    "heic": "image/heic",
    "heif": "image/heif",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "ics": "text/calendar",
    "ini": "text/plain",
    "ipc": "application/vnd.apache.arrow.file",
    "ipynb": "application/x-ipynb+json",  # Jupyter, shared-mime-info
    "jar": "application/java-archive",
    "jp2": "image/jp2",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": JSON,
    "jsonl": "application/x-ndjson",  # not registered; https://github.com/ndjson/ndjson-spec
    "jsonld": "application/ld+json",
    "jxl": "image/jxl",
    "kml": "application/vnd.google-earth.kml+xml",
    "kmz": "application/vnd.google-earth.kmz",
    "las": "application/vnd.las",
    "laz": "application/vnd.laszip",
    "log": "text/plain",
    "lz": "application/x-lzip",  # shared-mime-info
    "lz4": "application/x-lz4",  # shared-mime-info
    "lzma": "application/x-lzma",  # shared-mime-info
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mkv": "video/matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "msgpack": "application/vnd.msgpack",
    "nc": "application/x-netcdf",  # Apache httpd, shared-mime-info
    "ndjson": "application/x-ndjson",  # not registered; https://github.com/ndjson/ndjson-spec
    "nq": "application/n-quads",
    "nt": "application/n-triples",
    "obj": "model/obj",
    "odp": f"{_OPEN_DOCUMENT}.presentation",
    "ods": f"{_OPEN_DOCUMENT}.spreadsheet",
    "odt": f"{_OPEN_DOCUMENT}.text",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "pmtiles": "application/vnd.pmtiles",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "ps": "application/postscript",
    "psd": "image/vnd.adobe.photoshop",
    "py": "text/x-python",  # shared-mime-info
    "rar": "application/vnd.rar",
    "rdf": "application/rdf+xml",
    "rst": "text/x-rst",  # shared-mime-info
    "rtf": "application/rtf",
    "sh": "application/x-sh",  # Apache httpd
    "shp": "application/vnd.shp",
    "shx": "application/vnd.shx",
    "sql": "application/sql",
    "sqlite": "application/vnd.sqlite3",
    "sqlite3": "application/vnd.sqlite3",
    "srt": "application/x-subrip",  # shared-mime-info
    "stl": "model/stl",
    "svg": "image/svg+xml",
    "tab": "text/tab-separated-values",
    "tar": "application/x-tar",  # Apache httpd, shared-mime-info
    "tbz2": "application/x-bzip2",  # Apache httpd
    "tex": "text/x-tex",  # shared-mime-info
    "tgz": "application/gzip",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "trig": "application/trig",
    "tsv": "text/tab-separated-values",
    "ttl": "text/turtle",
    "txt": "text/plain",
    "txz": "application/x-xz",  # Apache httpd, shared-mime-info
    "tzst": "application/zstd",
    "vtt": "text/vtt",
    "wasm": "application/wasm",
    "wav": "audio/wav",  # not registered; https://mimesniff.spec.whatwg.org has audio/wave, lakeFS displays audio/wav
    "weba": "audio/webm",  # https://www.webmproject.org
    "webm": "video/webm",  # https://www.webmproject.org
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "xml": "application/xml",
    "xsd": "application/xml",
    "xsl": "application/xslt+xml",
    "xz": "application/x-xz",  # Apache httpd, shared-mime-info
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "z": "application/x-compress",  # shared-mime-info
    "zip": "application/zip",
    "zst": "application/zstd",
}


def guess_type(path: str) -> str:
    """Return the content type that the suffix of a path stands for.

    The last suffix counts, in either case: `a.csv.gz` is gzip. A leading dot does not begin a suffix, so `.csv` has
    none.

    Returns:
        The content type; `application/octet-stream` if there is no suffix or the table does not have it.
    """
    stem, _, suffix = path.rpartition("/")[2].lstrip(".").rpartition(".")
    return _TYPES.get(suffix.lower(), OCTET_STREAM) if stem else OCTET_STREAM
