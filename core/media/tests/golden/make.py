"""Makes the golden files of core/media's tests: small pictures of our own, encoded by others, and what others read from them.

    pip install -r requirements.txt
    python make.py

Writes into dicom/, raster/ and resize/ beside this script. `expected.json` of each says what a file must decode to; samples
stand in .raw files, little endian, row by row, the channels of a pixel beside each other.
"""

import io
import json
import pathlib
import shutil

import imagecodecs
import jpeg_ls
import numpy as np
from PIL import Image, ImageOps
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import apply_color_lut, apply_voi_lut, convert_color_space, get_decoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

HERE = pathlib.Path(__file__).parent
# JPEG 2000 halves a picture five times.
ROWS, COLUMNS = 33, 35
# Others need not be that large; the numbers are odd so that no block of theirs is whole.
SMALL = 17, 19


def scene(rows, columns, seed):
    """A slope, a disc and noise, 0 to 1."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    slope = 0.6 * x / columns + 0.2 * y / rows
    disc = 0.3 * ((x - columns * 0.6) ** 2 + (y - rows * 0.4) ** 2 < (rows * 0.3) ** 2)
    noise = 0.04 * generator.standard_normal((rows, columns))
    return np.clip(slope + disc + noise, 0, 1)


def colours(rows, columns, seed):
    """A scene of three colours."""
    return np.stack([scene(rows, columns, seed + channel)[:: 1 - 2 * (channel == 1)] for channel in range(3)], axis=-1)


class Folder:
    """A directory that is made anew, and its expected.json."""

    def __init__(self, name):
        self.path = HERE / name
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        self.expected = {}

    def raw(self, name, array):
        array = np.ascontiguousarray(array)
        (self.path / name).write_bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return {"raw": name, "type": array.dtype.newbyteorder("=").name, "shape": list(array.shape)}

    def close(self):
        (self.path / "expected.json").write_text(json.dumps(self.expected, indent=1) + "\n")


# DICOM


def dataset(array, syntax, photometric, bits=None, frames=None):
    """A data set for (frames,) rows, columns(, samples)."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.SOPInstanceUID = "2.25.1"
    data.Modality = "OT"
    single = array[0] if frames else array
    data.SamplesPerPixel = 3 if single.ndim == 3 else 1
    data.PhotometricInterpretation = photometric
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    if frames:
        data.NumberOfFrames = frames
    data.Rows, data.Columns = single.shape[:2]
    data.BitsAllocated = array.dtype.itemsize * 8
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(array.dtype.kind == "i")
    return data


def native(array, syntax, photometric, **options):
    data = dataset(array, syntax, photometric, **options)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    value = array.astype(array.dtype.newbyteorder(order)).tobytes()
    data.PixelData = value + b"\0" * (len(value) % 2)
    data["PixelData"].VR = "OB" if array.dtype.itemsize == 1 and not syntax.is_implicit_VR else "OW"
    return data


def encapsulated(array, syntax, photometric, streams, fragments=1, table=True, **options):
    data = dataset(array, syntax, photometric, **options)
    data.PixelData = encapsulate(streams, fragments_per_frame=fragments, has_bot=table)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return data


def dicom():
    folder = Folder("dicom")

    def save(name, data, expected=None, tolerance=0, plugin="", picture=None):
        data.save_as(folder.path / name, enforce_file_format=True)
        syntax = data.file_meta.TransferSyntaxUID
        # What is expected is what pydicom reads from the file, unless it cannot.
        if expected is None:
            from pydicom import dcmread

            expected, _ = get_decoder(syntax).as_array(
                dcmread(folder.path / name), raw=True, decoding_plugin=plugin
            )
        raw = name.replace(".dcm", ".raw")
        same = next((entry for entry in folder.expected.values() if same_raw(folder, entry, expected)), None)
        entry = dict(same["stored"]) if same else folder.raw(raw, expected)
        folder.expected[name] = {"stored": entry, "tolerance": tolerance}
        if picture is not None:
            folder.expected[name]["picture"] = folder.raw(name.replace(".dcm", ".picture.raw"), picture)

    signed = np.round(scene(ROWS, COLUMNS, 1) * 4000 - 1000).astype("<i2")
    for syntax, name in [
        (ImplicitVRLittleEndian, "implicit"),
        (ExplicitVRLittleEndian, "explicit"),
        (ExplicitVRBigEndian, "big_endian"),
        (DeflatedExplicitVRLittleEndian, "deflated"),
    ]:
        save(f"signed_{name}.dcm", native(signed, syntax, "MONOCHROME2"))
    for syntax, name, plugin in [
        (RLELossless, "rle", "pydicom"),
        (JPEG2000Lossless, "jpeg_2000", "pylibjpeg"),
        (JPEGLSLossless, "jpeg_ls", "pyjpegls"),
    ]:
        data = native(signed, ExplicitVRLittleEndian, "MONOCHROME2")
        data.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
        save(f"signed_{name}.dcm", data)
    stream = imagecodecs.ljpeg_encode(signed.view("<u2"), bitspersample=16)
    save("signed_jpeg_lossless.dcm", encapsulated(signed, JPEGLosslessSV1, "MONOCHROME2", [stream]))

    twelve = np.round(scene(ROWS, COLUMNS, 2) * 4095).astype("<u2")
    for predictor in range(1, 8):
        stream = imagecodecs.jpeg8_encode(twelve, lossless=True, predictor=predictor, bitspersample=12)
        data = encapsulated(twelve, JPEGLossless, "MONOCHROME2", [stream], bits=12)
        save(f"twelve_jpeg_lossless_{predictor}.dcm", data, expected=twelve)
    stream = imagecodecs.jpeg8_encode(twelve, level=95, bitspersample=12)
    expected = imagecodecs.jpeg8_decode(stream)
    save(
        "twelve_jpeg_extended.dcm",
        encapsulated(twelve, JPEGExtended12Bit, "MONOCHROME2", [stream], bits=12),
        expected=expected,
        tolerance=1,
    )
    data = native(twelve, ExplicitVRLittleEndian, "MONOCHROME1", bits=12)
    data.compress(JPEGLSNearLossless, jls_error=3, encoding_plugin="pyjpegls", generate_instance_uid=False)
    save("twelve_jpeg_ls_near.dcm", data)
    data = native(twelve, ExplicitVRLittleEndian, "MONOCHROME2", bits=12)
    data.compress(JPEG2000, j2k_cr=[8], encoding_plugin="pylibjpeg", generate_instance_uid=False)
    save("twelve_jpeg_2000_lossy.dcm", data, tolerance=1)

    eight = np.round(scene(ROWS, COLUMNS, 3) * 255).astype("u1")
    buffer = io.BytesIO()
    Image.fromarray(eight).save(buffer, "JPEG", quality=90)
    data = encapsulated(eight, JPEGBaseline8Bit, "MONOCHROME2", [buffer.getvalue()])
    save("eight_jpeg.dcm", data, expected=np.asarray(Image.open(buffer)), tolerance=1)

    buffer = io.BytesIO()
    Image.fromarray(eight).save(buffer, "JPEG", quality=90, restart_marker_blocks=3)
    (folder.path / "restart.jpeg").write_bytes(buffer.getvalue())
    folder.raw("restart.raw", np.asarray(Image.open(buffer)))

    rgb = np.round(colours(ROWS, COLUMNS, 4) * 255).astype("u1")
    save("rgb_explicit.dcm", native(rgb, ExplicitVRLittleEndian, "RGB"))
    save("rgb_big_endian.dcm", native(rgb, ExplicitVRBigEndian, "RGB"))
    data = native(np.ascontiguousarray(rgb.transpose(2, 0, 1)).reshape(rgb.shape), ExplicitVRLittleEndian, "RGB")
    data.PlanarConfiguration = 1
    save("rgb_planar.dcm", data)
    for syntax, name, plugin in [
        (RLELossless, "rle", "pydicom"),
        (JPEG2000Lossless, "jpeg_2000", "pylibjpeg"),
        (JPEGLSLossless, "jpeg_ls", "pyjpegls"),
    ]:
        data = native(rgb, ExplicitVRLittleEndian, "RGB")
        data.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
        save(f"rgb_{name}.dcm", data)
    for interleave in [0, 1, 2]:
        planes = np.ascontiguousarray(rgb.transpose(2, 0, 1)) if interleave == 0 else rgb
        stream = jpeg_ls.encode_array(planes, lossy_error=2, interleave_mode=interleave)
        data = encapsulated(rgb, JPEGLSNearLossless, "RGB", [bytes(stream)])
        save(f"rgb_jpeg_ls_interleave_{interleave}.dcm", data)
    stream = imagecodecs.jpeg8_encode(rgb, lossless=True, predictor=4)
    save("rgb_jpeg_lossless.dcm", encapsulated(rgb, JPEGLossless, "RGB", [stream]), expected=rgb)
    for subsampling, name, photometric in [(0, "444", "YBR_FULL"), (1, "422", "YBR_FULL_422"), (2, "420", "YBR_FULL_422")]:
        smooth = np.round(np.stack([scene(*SMALL, 5)] * 3, -1) * [255, 200, 120]).astype("u1")
        buffer = io.BytesIO()
        Image.fromarray(smooth).save(buffer, "JPEG", quality=90, subsampling=subsampling)
        picture = np.asarray(Image.open(buffer).convert("RGB"))
        decoded = Image.open(buffer)
        decoded.draft("YCbCr", decoded.size)
        data = encapsulated(smooth, JPEGBaseline8Bit, photometric, [buffer.getvalue()])
        save(f"ybr_jpeg_{name}.dcm", data, expected=np.asarray(decoded), tolerance=2, picture=picture)
    ybr = convert_color_space(rgb, "RGB", "YBR_FULL")
    save("ybr_explicit.dcm", native(ybr, ExplicitVRLittleEndian, "YBR_FULL"),
         picture=convert_color_space(ybr, "YBR_FULL", "RGB"))
    even = ybr[:, : COLUMNS // 2 * 2]
    pairs = np.stack([even[:, ::2, 0], even[:, 1::2, 0], even[:, ::2, 1], even[:, ::2, 2]], axis=-1)
    data = dataset(even, ExplicitVRLittleEndian, "YBR_FULL_422")
    data.PixelData = np.ascontiguousarray(pairs).tobytes()
    data["PixelData"].VR = "OB"
    save("ybr_422_explicit.dcm", data)

    # Palettes.
    indices = np.round(scene(*SMALL, 6) * 40).astype("u1")
    for bits in [8, 16]:
        data = native(indices, ExplicitVRLittleEndian, "PALETTE COLOR")
        tables = np.round(np.stack([np.linspace(0, 1, 32) ** power for power in [0.5, 1, 2]]) * (2**bits - 1))
        for name, table in zip(["Red", "Green", "Blue"], tables, strict=True):
            setattr(data, f"{name}PaletteColorLookupTableDescriptor", [32, 5, bits])
            setattr(data, f"{name}PaletteColorLookupTableData", table.astype(f"<u{bits // 8}").tobytes())
        save(f"palette_{bits}.dcm", data, picture=apply_color_lut(indices, data))
    data = native(indices, ExplicitVRLittleEndian, "PALETTE COLOR")
    segments = np.array([0, 2, 10, 20, 1, 30, 60000, 0, 1, 7], dtype="<u2")
    for name in ["Red", "Green", "Blue"]:
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [33, 0, 16])
        setattr(data, f"Segmented{name}PaletteColorLookupTableData", segments.tobytes())
    save("palette_segmented.dcm", data, picture=apply_color_lut(indices, data))

    # Several frames, in all the ways in which fragments may be cut.
    movie = np.stack([np.round(scene(9, 11, 10 + number) * 255).astype("u1") for number in range(3)])
    save("movie_explicit.dcm", native(movie, ExplicitVRLittleEndian, "MONOCHROME2", frames=3))
    streams = [imagecodecs.jpegls_encode(frame) for frame in movie]
    save("movie_table.dcm", encapsulated(movie, JPEGLSLossless, "MONOCHROME2", streams, fragments=2, frames=3))
    save("movie_no_table.dcm", encapsulated(movie, JPEGLSLossless, "MONOCHROME2", streams, table=False, frames=3))
    save("movie_fragments.dcm",
         encapsulated(movie, JPEGLSLossless, "MONOCHROME2", streams, fragments=2, table=False, frames=3))
    data = dataset(movie, JPEGLSLossless, "MONOCHROME2", frames=3)
    data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    save("movie_extended_table.dcm", data)
    bits = (movie > 120).astype("u1")
    data = dataset(bits, ExplicitVRLittleEndian, "MONOCHROME2", frames=3)
    data.BitsAllocated, data.BitsStored, data.HighBit = 1, 1, 0
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    data.PixelData = packed + b"\0" * (len(packed) % 2)
    data["PixelData"].VR = "OB"
    save("bits_explicit.dcm", data)
    wide = np.round(scene(9, 11, 7) * 4e9).astype("<u4")
    save("wide_explicit.dcm", native(wide, ExplicitVRLittleEndian, "MONOCHROME2"))
    for kind, keyword in [("<f4", "FloatPixelData"), ("<f8", "DoubleFloatPixelData")]:
        data = dataset(scene(9, 11, 8).astype(kind), ExplicitVRLittleEndian, "MONOCHROME2")
        del data.BitsStored, data.HighBit, data.PixelRepresentation
        setattr(data, keyword, scene(9, 11, 8).astype(kind).tobytes())
        save(f"{keyword}.dcm", data, expected=scene(9, 11, 8).astype(kind))
    odd = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], dtype="u1")
    data = dataset(odd, ExplicitVRBigEndian, "MONOCHROME2")
    data.PixelData = np.frombuffer(odd.tobytes() + b"\0", dtype="<u2").astype(">u2").tobytes()
    data["PixelData"].VR = "OW"
    save("words_big_endian.dcm", data)

    folder.expected["windows"] = windows()
    folder.close()


def same_raw(folder, entry, array):
    """Whether a file before has the same samples: their lossless encodings share one .raw file."""
    stored = entry.get("stored")
    if stored is None or stored["shape"] != list(array.shape):
        return False
    little = array.astype(array.dtype.newbyteorder("<"))
    return stored["type"] == array.dtype.newbyteorder("=").name and (
        folder.path / stored["raw"]
    ).read_bytes() == little.tobytes()


def windows():
    """Windows and the brightness, 0 to 1, that pydicom gives to some values."""
    cases = []
    values = [-2000, -1000, -1, 0, 1, 2, 9, 10, 11, 39, 40, 41, 99, 100, 101, 127, 128, 2047, 2048, 4000]
    for function, centre, width in [
        ("LINEAR", 40, 400),
        ("LINEAR", 2048, 4096),
        ("LINEAR", 0, 100),
        ("LINEAR", 10, 2),
        ("LINEAR", 10, 1),
        ("LINEAR", 39.5, 3),
        ("LINEAR_EXACT", 40, 400),
        ("LINEAR_EXACT", 10, 1),
        ("LINEAR_EXACT", 10, 0.5),
        ("SIGMOID", 40, 400),
        ("SIGMOID", 10, 1),
    ]:
        data = Dataset()
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsStored, data.PixelRepresentation = 16, 1
        data.WindowCenter, data.WindowWidth, data.VOILUTFunction = str(centre), str(width), function
        seen = apply_voi_lut(np.array(values, dtype="i2"), data)
        brightness = [(float(value) + 2**15) / (2**16 - 1) for value in seen]
        cases.append({"function": function, "centre": str(centre), "width": str(width), "values": values,
                      "brightness": brightness})
    return cases


# Pictures in the formats of cameras


def raster():
    folder = Folder("raster")
    rows, columns = 20, 27

    def save(name, image, expected=None, tolerance=0, **options):
        image.save(folder.path / name, **options)
        if expected is None:
            expected = np.asarray(Image.open(folder.path / name))
        folder.expected[name] = folder.raw(name + ".raw", expected) | {"tolerance": tolerance}

    grey = np.round(scene(rows, columns, 20) * 255).astype("u1")
    rgb = np.round(colours(rows, columns, 21) * 255).astype("u1")
    alpha = np.concatenate([rgb, grey[..., None]], axis=-1)
    for extension in ["png", "tiff", "bmp"]:
        # The crate that reads BMP makes colours of a palette, grey ones as well.
        expected = np.stack([grey] * 3, -1) if extension == "bmp" else grey
        save(f"grey.{extension}", Image.fromarray(grey), expected=expected)
        save(f"rgb.{extension}", Image.fromarray(rgb))
    save("rgb.webp", Image.fromarray(rgb), lossless=True)
    save("alpha.png", Image.fromarray(alpha), expected=rgb)
    save("alpha.webp", Image.fromarray(alpha), expected=rgb, lossless=True, exact=True)
    save("grey_alpha.png", Image.fromarray(alpha[..., 2:], "LA"), expected=alpha[..., 2])
    indexed = Image.fromarray(rgb).quantize(16)
    save("palette.png", indexed, expected=np.asarray(indexed.convert("RGB")))
    save("palette.bmp", indexed, expected=np.asarray(indexed.convert("RGB")))
    bits = Image.fromarray(grey).convert("1")
    save("bits.png", bits, expected=np.asarray(bits.convert("L")))
    deep = np.round(scene(rows, columns, 22) * 65535).astype("<u2")
    save("deep.png", Image.fromarray(deep), expected=deep)
    save("deep.tiff", Image.fromarray(deep), expected=deep)
    for compression in ["tiff_lzw", "tiff_adobe_deflate", "packbits"]:
        save(f"{compression}.tiff", Image.fromarray(rgb), compression=compression)
    smooth = np.round(np.stack([0.2 + 0.6 * scene(rows, columns, 23)] * 3, -1) * [255, 200, 120]).astype("u1")
    save("grey.jpg", Image.fromarray(grey), quality=90, tolerance=1)
    save("progressive.jpg", Image.fromarray(grey), quality=90, tolerance=1, progressive=True)
    save("rgb_444.jpg", Image.fromarray(smooth), quality=90, subsampling=0, tolerance=2)
    save("rgb_420.jpg", Image.fromarray(smooth), quality=90, subsampling=2, tolerance=3)
    cmyk = Image.fromarray(smooth).convert("CMYK")
    buffer = io.BytesIO()
    cmyk.save(buffer, "JPEG", quality=95)
    save("cmyk.jpg", cmyk, expected=np.asarray(Image.open(buffer).convert("RGB")), quality=95, tolerance=3)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"orientation_{orientation}.png"
        Image.fromarray(rgb[:7, :5]).save(folder.path / name, exif=exif)
        turned = np.asarray(ImageOps.exif_transpose(Image.open(folder.path / name)))
        folder.expected[name] = folder.raw(name + ".raw", turned) | {"tolerance": 0}
    folder.close()


# Resizing


def resize():
    folder = Folder("resize")
    filters = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
    }
    grey = np.round(scene(48, 61, 30) * 255).astype("u1")
    rgb = np.round(colours(30, 41, 31) * 255).astype("u1")
    real = (scene(30, 41, 32) * 3000 - 1000).astype("<f4")
    deep = np.round(scene(30, 41, 34) * 65535).astype("<u2")
    sources = {"grey": grey, "rgb": rgb, "real": real, "deep": deep}
    for name, source in sources.items():
        folder.expected[name] = folder.raw(f"{name}.raw", source)
    cases = []
    for filter_name, resampling in filters.items():
        for source_name, source in sources.items():
            for width, height in [(24, 17), (66, 50)]:
                if width > 61 and source_name != "grey":
                    continue
                if source_name == "deep":
                    # Pillow resizes 16-bit images with less care than others, so its float arithmetic is the reference; rows
                    # first, and no sample beyond black and white in between, as with 8 bits.
                    rows = Image.fromarray(source.astype("<f4")).resize((width, source.shape[0]), resampling)
                    rows = np.clip(np.asarray(rows), 0, 65535)
                    image = Image.fromarray(rows).resize((width, height), resampling)
                else:
                    image = Image.fromarray(source).resize((width, height), resampling)
                name = f"{source_name}_{filter_name}_{width}x{height}.raw"
                cases.append({"source": source_name, "filter": filter_name, "fit": "stretch"}
                             | folder.raw(name, np.asarray(image)))
    for size in [(20, 20), (40, 16)]:
        image = ImageOps.fit(Image.fromarray(grey), size, Image.Resampling.BILINEAR)
        name = f"grey_crop_{size[0]}x{size[1]}.raw"
        cases.append({"source": "grey", "filter": "bilinear", "fit": "crop"} | folder.raw(name, np.asarray(image)))
        scale = min(size[0] / 61, size[1] / 48)
        inner = (round(61 * scale), round(48 * scale))
        canvas = np.full((size[1], size[0]), 114, dtype="u1")
        left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
        canvas[top : top + inner[1], left : left + inner[0]] = np.asarray(
            Image.fromarray(grey).resize(inner, Image.Resampling.BILINEAR)
        )
        name = f"grey_letterbox_{size[0]}x{size[1]}.raw"
        cases.append({"source": "grey", "filter": "bilinear", "fit": "letterbox"} | folder.raw(name, canvas))
    folder.expected["cases"] = cases
    folder.expected["luma"] = folder.raw("luma.raw", np.asarray(Image.fromarray(rgb).convert("L")))
    folder.close()


if __name__ == "__main__":
    dicom()
    raster()
    resize()
